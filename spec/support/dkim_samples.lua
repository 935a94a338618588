--- Signed mails of every structure, for whoever judges signatures.
--
--     local samples = require("spec.support.dkim_samples")
--     for _, sample in ipairs(samples.signed()) do
--       -- sample.name, sample.bytes (CRLF line ends), sample.signatures (how many)
--     end
--     samples.records  -- what DNS would say: text by name
--
-- The keys are those of RFC 8463 appendix A and RFC 6376 appendix C.
local assert = require("luassert")
local qqmail = require("qqmail")

local M = {}

local function read_file(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read("*a")
  file:close()
  return text
end

-- They stand once, where the specs in C need them.
local source = read_file("spec/c/dkim_keys.h")

local function key_named(name)
  local literal = assert(source:match("key_" .. name .. "%[%] =(.-);\n"))
  return (literal:gsub('%s*"(.-)\\n"', "%1\n"):gsub("^%s+", ""))
end

--- PEM texts by name.
M.keys = { rsa = key_named("rsa"), ed25519 = key_named("ed25519"),
  brisbane = key_named("brisbane") }

M.records = {
  ["brisbane._domainkey.football.example.com"] =
    "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=",
  ["test._domainkey.football.example.com"] = "v=DKIM1; k=rsa; "
    .. "p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDkHlOQoBTzWRiGs5V6NpP3idY6Wk08a5qhdR6wy5bdOKb2jLQi"
    .. "Y/J16JYi0Qvx/byYzCNb3W91y3FutACDfzwQ/BC/e/8uBsCR+yz1Lxj+PL6lHvqMKrM3rG4hstT5QjvHO9PzoxZyVYL"
    .. "zBfO2EeC3Ip3G+2kryOTIKT+l/K4w3QIDAQAB",
  ["brisbane._domainkey.example.com"] = "v=DKIM1; k=rsa; "
    .. "p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDwIRP/UC3SBsEmGqZ9ZJW3/DkMoGeLnQg1fWn7/zYtIxN2SnFC"
    .. "jxOCKG9v3b4jYfcTNh5ijSsq631uBItLa7od+v/RtdC2UzJ1lWT947qR+Rcac2gbto/NMqJ0fzfVjH4OuKhitdY9tf6m"
    .. "cwGjaNBcWToIMmPSPDdQPNUYckcQ2QIDAQAB",
}

local function merge(into, from)
  for key, value in pairs(from or {}) do
    into[key] = value
  end
  return into
end

--- The option `dkim` with the RSA key.
function M.rsa(more)
  return merge({ domain = "football.example.com", selector = "test", key = M.keys.rsa }, more)
end

--- The option `dkim` with the Ed25519 key.
function M.ed25519(more)
  return merge({ domain = "football.example.com", selector = "brisbane", key = M.keys.ed25519 },
    more)
end

local LONG_NAME = ("很长的名字"):rep(12)

-- Lines that are easily changed on the way.
local ODD_BODY = "\n\n  two blanks  in front and behind  \n.\n..\n.a\n\t\n \nFrom the start\n"
  .. "a  b\t\tc \n-- \n\n\n\n"

local RAW = "From: Joe <joe@football.example.com>\r\nTo: a@test.local\r\nSubject:  odd   blanks\t\r\n"
  .. "\tand a fold\r\nDate: Fri, 11 Jul 2003 21:00:37 -0700\r\nMessage-ID: <raw.1@example.com>\r\n"
  .. "Comments: one\r\nComments: two\r\nBcc: hidden@test.local\r\n\r\n"

local function reader()
  local left = 3
  return function()
    left = left - 1
    return left >= 0 and ("piece %d\n"):format(left) or nil
  end
end

--- What is to be signed, by name: fields of a message.
M.messages = {
  { "text", { text = "hello\n" } },
  { "chinese", { subject = "磁盘告警：已用 91%", text = "磁盘空间不足。\n", from = "监控 <joe@football.example.com>",
    cc = { { LONG_NAME, "b@test.local" }, { LONG_NAME, "c@test.local" } } } },
  { "long subject", { subject = ("a subject that goes on "):rep(20) .. "ends", text = "x\n" } },
  { "many recipients", { to = (function()
    local out = {}
    for i = 1, 60 do
      out[i] = ("Somebody Number %d <r%d@test.local>"):format(i, i)
    end
    return out
  end)(), text = "x\n", envelope = { to = "a@test.local" } } },
  { "empty text", { text = "" } },
  { "empty lines", { text = "\n\n\n" } },
  { "odd text", { text = ODD_BODY } },
  { "no line end", { text = "last line without end" } },
  { "alternative", { text = "plain  text \n\n", html = "<p>你好</p>\n<p>  two</p>" } },
  { "html with derived text", { html = "<p>Hello</p><table><tr><td>1</td></tr></table>" } },
  { "related", { text = "x", html = '<img src="cid:logo">',
    inline = { logo = { data = ("\0\1\2\255"):rep(200), name = "logo.png", type = "image/png" } } } },
  { "mixed", { text = ODD_BODY, attachments = {
    { data = ("一二三"):rep(3000), name = "报表 😀 \"x\".csv", type = "text/csv" },
    { data = "", name = "empty.bin" },
    { read = reader(), name = "read.txt", is_reader = true },
  } } },
  { "calendar", { text = "x", calendar = { method = "REQUEST",
    data = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nMETHOD:REQUEST\r\nEND:VCALENDAR\r\n" } } },
  { "lists and threads", { text = "x", in_reply_to = "<1@example.com>",
    references = { "<0@example.com>", "<1@example.com>" }, priority = "high",
    list_unsubscribe = "https://example.com/u?id=1", reply_to = "r@football.example.com",
    sender = "s@football.example.com",
    headers = { { "X-Twice", "one" }, { "X-Twice", "two" }, { "List-Id", "<l.example.com>" } } } },
  { "raw", { raw = RAW .. "body \r\n\r\n\r\n" } },
  { "raw of eight bits", { raw = RAW:gsub("Comments: one",
    "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit")
    .. "正文  \r\n.\r\n" .. ODD_BODY:gsub("\n", "\r\n") } },
  { "raw without body", { raw = RAW } },
  { "raw with odd line ends", { raw = RAW .. "one\ntwo\rthree\r\n.\n" } },
  { "resent", { raw = "Resent-From: x@football.example.com\r\nResent-Date: Sat, 12 Jul 2003 "
    .. "08:00:00 +0000\r\nResent-To: a@test.local\r\nReceived: from a by b; Fri, 11 Jul 2003 "
    .. "21:00:37 -0700\r\n" .. RAW .. "again\r\n", envelope = { to = "a@test.local" } } },
}

--- Ways to sign: the option `dkim` by name, and how many signatures it makes.
M.ways = {
  { "rsa relaxed/relaxed", M.rsa(), 1 },
  { "rsa relaxed/simple", M.rsa({ canonicalization = "relaxed/simple" }), 1 },
  { "rsa simple/relaxed", M.rsa({ canonicalization = "simple/relaxed" }), 1 },
  { "rsa simple/simple", M.rsa({ canonicalization = "simple/simple", oversign = false }), 1 },
  { "ed25519", M.ed25519({ identity = "joe@mail.football.example.com", expires = 86400 }), 1 },
  { "both", { M.ed25519({ canonicalization = "simple/simple" }),
    M.rsa({ headers = { "X-Twice", "Comments", "X-Missing", "subject" } }) }, 2 },
}

-- A reader can be read once: each message gets its own.
local function fresh(message)
  local out = merge({ from = "joe@football.example.com", to = "a@test.local", subject = "s" },
    message)
  if message.raw then
    out.from, out.to, out.subject = nil, nil, nil
  end
  if message.attachments then
    out.attachments = {}
    for i, part in ipairs(message.attachments) do
      out.attachments[i] = part.is_reader and { read = reader(), name = part.name } or part
    end
  end
  return out
end

--- A message of `M.messages` by its name, to be sent.
function M.message(name)
  for _, row in ipairs(M.messages) do
    if row[1] == name then
      return fresh(row[2])
    end
  end
  error("no such message: " .. name)
end

--- A mailer that keeps what it signs in `mailer.outbox`.
function M.mailer(dkim, more)
  local mailer, err = qqmail.new(merge({ host = "127.0.0.1", tls = "none", io = "memory",
    lang = "en", dkim = dkim, from = "joe@football.example.com" }, more))
  assert.is_table(mailer, tostring(err))
  return mailer
end

--- Each message, signed in each way.
-- @treturn table list of `name`, `bytes`, `signatures`
function M.signed()
  local out = {}
  for _, way in ipairs(M.ways) do
    local mailer = M.mailer(way[2])
    for _, row in ipairs(M.messages) do
      local receipt, err = mailer:send(fresh(row[2]))
      assert.is_table(receipt, row[1] .. ": " .. tostring(err))
      out[#out + 1] = { name = way[1] .. ": " .. row[1], signatures = way[3],
        bytes = mailer.outbox[#mailer.outbox].data }
    end
  end
  return out
end

return M
