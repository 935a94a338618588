-- What the doctor is made of: judging dates, laying out text.
local certificate = require("qqmail.doctor.certificate")
local doctor = require("spec.support.doctor")
local layout = require("qqmail.doctor.layout")
local send = require("spec.support.send")
local shell = require("spec.support.shell")

describe("the clock", function()
  local NOW = certificate.RELEASED + 86400
  local DAY = 86400
  local info = { not_before = NOW - 100 * DAY, not_after = NOW - DAY }

  it("is to blame when it is before this library", function()
    assert.equal("clock", certificate.blame({ not_before = NOW, not_after = NOW + DAY },
      certificate.RELEASED - 1))
  end)

  it("is to blame when a certificate begins after it", function()
    assert.equal("clock", certificate.blame({ not_before = NOW + 1, not_after = NOW + DAY }, NOW))
  end)

  it("may be when the chain has ended as well", function()
    assert.equal("certificate", certificate.blame(info, NOW))
    assert.equal("either", certificate.blame({ not_before = info.not_before,
      not_after = info.not_after, chain = { info, { not_before = 0, not_after = NOW - 1 } } }, NOW))
  end)

  it("is not when the server's own certificate is good and one above it is not", function()
    local leaf = { not_before = NOW - 10 * DAY, not_after = NOW + 10 * DAY }
    leaf.chain = { leaf, { not_before = 0, not_after = NOW - DAY } }
    local text, hint, who = certificate.judge(leaf, NOW)
    assert.equal("certificate", who)
    doctor.has(text.en, "above its own has expired", certificate.day(NOW - DAY))
    doctor.has(text.zh, "上级证书已过期", certificate.day(NOW - DAY))
    send.has(hint.en, "ca-certificates")
    leaf.chain = { leaf }
    text, hint, who = certificate.judge(leaf, NOW)
    assert.equal("certificate", who)
    assert.is_nil(text)
    send.has(hint.en, "ca-certificates")
  end)

  it("is judged by the server's, where that shows it", function()
    assert.equal("clock", certificate.blame(info, NOW, NOW - 10 * DAY))
    assert.equal("certificate", certificate.blame(info, NOW, NOW + 10))
    -- Both are off by an hour; the certificate ended before either.
    assert.equal("certificate", certificate.blame(info, NOW, NOW + 3600))
  end)

  it("far ahead may be wrong as well", function()
    assert.equal("either", certificate.blame(info, NOW + 6 * 365 * DAY))
  end)

  it("is read from greetings", function()
    assert.equal(1792452480,
      certificate.date_in("mx ESMTP Sendmail; Tue, 20 Oct 2026 07:28:00 +0800"))
    assert.equal(951782400, certificate.date_in("29 Feb 2000 00:00:00 +0000"))
    assert.is_nil(certificate.date_in("20 Foo 2026 07:28:00 +0800"))
    assert.is_nil(certificate.date_in("mx ESMTP"))
    assert.is_nil(certificate.date_in(nil))
  end)

  it("is warned of when the greeting shows another date", function()
    local server = send.server({ replies = {
      greeting = "220 mx ESMTP; Tue, 20 Oct 2020 07:28:00 +0800" } })
    local report = doctor.check(send.mailer(server))
    assert.equal("check.clock_off", report:step("greeting").code)
    assert.is_true(report.ok)
    send.stop()
  end)

  it("knows a release that is not before the changelog's last", function()
    local output = shell.run("sed -n 's/^## \\[[0-9.]*\\] - //p' CHANGELOG.md | head -1")
    local year, month, day = output:match("(%d+)-(%d+)-(%d+)")
    local released = certificate.date_in(("%d %s %d 00:00:00 +0000"):format(day,
      ({ "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" })
      [tonumber(month)], year))
    assert.equal(released, certificate.RELEASED)
  end)

  it("warns of a certificate that ends soon", function()
    assert.is_nil(certificate.soon_note({ not_after = NOW + 20 * DAY }, NOW))
    local note = certificate.soon_note({ not_after = NOW + 3 * DAY + 5 }, NOW)
    assert.equal("check.expires_soon", note.code)
    send.has(note.text.en, "3 days")
  end)
end)

describe("the layout", function()
  it("counts columns", function()
    assert.equal(5, layout.width("a授权"))
    assert.equal(0, layout.width(""))
    assert.equal(2, layout.width("é!"))
    assert.equal("授权  |", layout.pad("授权", 6) .. "|")
  end)

  it("breaks lines between words and Chinese characters", function()
    assert.same({ "one two", "three" }, layout.wrap("one two three", 8))
    assert.same({ "授权", "码不", "对。" }, layout.wrap("授权码不对。", 4))
    assert.same({ "" }, layout.wrap("", 10))
    assert.same({ "averylongword", "x" }, layout.wrap("averylongword x", 5))
  end)

  it("begins no line with a comma and ends none with a bracket", function()
    for width = 4, 20 do
      for _, line in ipairs(layout.wrap("请检查（主机），以及“端口”：再试一次。", width)) do
        assert.is_nil(line:find("^，"))
        assert.is_nil(line:find("^。"))
        assert.is_nil(line:find("^）"))
        assert.is_nil(line:find("（$"))
      end
    end
  end)
end)
