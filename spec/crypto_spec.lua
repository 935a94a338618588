-- Digests, HMACs, and the messages of CRAM-MD5 and SCRAM, without a session around them.
local crypto = require("qqmail.crypto")
local python = require("spec.support.python")
local send = require("spec.support.send")

local function hex(bytes)
  return (bytes:gsub(".", function(c) return ("%02x"):format(c:byte()) end))
end

describe("qqmail.crypto", function()
  it("makes digests", function()
    -- FIPS 180-4 examples, RFC 1321 A.5
    assert.equal("900150983cd24fb0d6963f7d28e17f72", hex(crypto.digest("MD5", "abc")))
    assert.equal("a9993e364706816aba3e25717850c26c9cd0d89d", hex(crypto.digest("SHA-1", "abc")))
    assert.equal("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
      hex(crypto.digest("SHA-256", "abc")))
    assert.equal(64, #crypto.digest("SHA-512", ""))
  end)

  it("makes HMACs and PBKDF2", function()
    -- RFC 4231 section 4.3, RFC 6070 section 2
    assert.equal("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
      hex(crypto.hmac("SHA-256", "Jefe", "what do ya want for nothing?")))
    assert.equal("0c60c80f961f0e71f3a9b524af6012062fe037a6",
      hex(crypto.pbkdf2("SHA-1", "password", "salt", 1)))
    assert.equal("4b007901b765489abead49d926f721d065a429c1",
      hex(crypto.pbkdf2("SHA-1", "password", "salt", 4096)))
  end)

  -- Digests that hold NUL are among them.
  it("answers CRAM-MD5 with passwords beyond the block of MD5", function()
    local passwords, expected = {}, {}
    for i = 1, 200 do
      passwords[i] = ("p%d-"):format(i) .. ("x"):rep(60 + i % 40)
    end
    local printed = python.run([[
import hashlib, hmac, sys
for password in sys.argv[1:]:
    print(hmac.new(password.encode(), b"<1.2@x>", hashlib.md5).hexdigest())]],
      (unpack or table.unpack)(passwords))
    for digest in printed:gmatch("%x+") do
      expected[#expected + 1] = "u " .. digest
    end
    assert.equal(200, #expected)
    for i, password in ipairs(passwords) do
      assert.equal(expected[i], crypto.cram_md5("u", password, "<1.2@x>"))
    end
  end)

  it("raises for what it cannot mean", function()
    assert.has_error(function() crypto.digest("SHA-3", "") end, "unknown digest")
    assert.has_error(function() crypto.pbkdf2("SHA-1", "p", "s", 0) end)
    assert.has_error(function() crypto.scram({ digest = "MD4" }) end, "unknown digest")
  end)

  it("escapes the name, and says what it thinks of channel binding", function()
    local function first(more)
      local exchange = assert(crypto.scram(send.merge(
        { digest = "SHA-256", user = "a,b=c", password = "p", nonce = "N" }, more)))
      return exchange:first()
    end
    assert.equal("n,,n=a=2Cb=3Dc,r=N", first())
    assert.equal("y,,n=a=2Cb=3Dc,r=N", first({ may_bind = true }))
    assert.equal("p=tls-exporter,,n=a=2Cb=3Dc,r=N",
      first({ binding_name = "tls-exporter", binding = "x" }))
  end)

  it("refuses names, passwords and nonces that SCRAM cannot carry", function()
    local function name_of(more)
      return select(2, crypto.scram(send.merge(
        { digest = "SHA-256", user = "u", password = "p", nonce = "N" }, more)))
    end
    assert.equal("control_character", name_of({ user = "a\1" }))
    assert.equal("control_character", name_of({ password = "\127" }))
    assert.equal("bad_utf8", name_of({ password = "\255" }))
    assert.equal("empty", name_of({ nonce = "" }))
    assert.equal("syntax", name_of({ nonce = "a,b" }))
    assert.is_nil(name_of({ password = "密码" }))
  end)

  it("keeps to the order of messages", function()
    local exchange = crypto.scram({ digest = "SHA-1", user = "u", password = "p", nonce = "N" })
    assert.equal("misuse", select(2, exchange:final("r=Nx,s=YQ==,i=1")))
    assert.equal("misuse", select(2, exchange:verify("v=")))
    exchange:first()
    assert.equal("misuse", select(2, exchange:first()))
    exchange:close()
    exchange:close()
    assert.equal("misuse", select(2, exchange:verify("v=")))
  end)
end)
