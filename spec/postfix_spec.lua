-- The fixture itself, tried out by a client of somebody else.
local dovecot = require("spec.support.dovecot")
local postfix = require("spec.support.postfix")
local python = require("spec.support.python")

local missing = postfix.missing()

local PROGRAM = [[
import base64, smtplib, ssl, sys
port, ca, mode = int(sys.argv[1]), sys.argv[2], sys.argv[3]
context = ssl.create_default_context(cafile=ca)
if mode == "implicit":
    client = smtplib.SMTP_SSL("localhost", port, context=context, timeout=20)
else:
    client = smtplib.SMTP("localhost", port, timeout=20)
    if mode == "starttls":
        client.ehlo()
        print("auth" in client.esmtp_features)
        client.starttls(context=context)
client.ehlo()
print(" ".join(sorted(client.esmtp_features)))
def refused(call, *words):
    try:
        call(*words)
    except smtplib.SMTPResponseException as error:
        return error.smtp_code
    except smtplib.SMTPRecipientsRefused as error:
        return list(error.recipients.values())[0][0]
]]

local function run(pf, port, mode, rest)
  return python.run(PROGRAM .. rest, port, pf.ca, mode)
end

describe("the private Postfix", function()
  if missing then
    pending("cannot run here: " .. missing)
    return
  end

  local pf

  setup(function()
    pf = postfix.start()
  end)

  it("takes authenticated mail over implicit TLS for any recipient", function()
    local output = run(pf, pf.smtps, "implicit", [[
client.login("user@qq.com", "abcdefghijklmnop")
client.sendmail("user@qq.com", ["Friend@elsewhere.test", "b@test.local"],
                b"Subject: one\r\n\r\n.dot\r\n")
print("sent")
]])
    assert.equal("8bitmime auth chunking dsn enhancedstatuscodes etrn pipelining size smtputf8 "
      .. "vrfy\nsent\n", output)
    local files = assert(pf:wait_for("Friend@elsewhere.test", 1, 10))
    assert.equal("Subject: one\r\n\r\n.dot\r\n", postfix.message(files[1]))
    assert.truthy(postfix.read(files[1]):find("^Return%-Path: <user@qq%.com>\n"))
    assert.truthy(pf:wait_for("b@test.local", 1, 10))
    assert.truthy(pf:log():find("sasl_username=user@qq.com", 1, true))
  end)

  it("asks for STARTTLS before AUTH on the submission port", function()
    assert.truthy(run(pf, pf.submission, "starttls", [[
print(refused(client.login, "u", "wrong"))
client.login("u", "p")
]]):find("^False\n[%w ]+auth[%w ]+\n535\n$"))
  end)

  it("takes names and passwords in UTF-8", function()
    assert.truthy(run(pf, pf.plain, "plain", [[
secret = base64.b64encode("\0用户@qq.com\0密码密码".encode()).decode()
print(client.docmd("AUTH", "PLAIN " + secret)[0])
]]):find("\n235\n$"))
  end)

  it("refuses by address", function()
    local output = run(pf, pf.mx, "plain", [[
for who in ("s450", "s550"):
    print(client.docmd("MAIL", "FROM:<%s@test.local>" % who)[0])
for to in ("r450", "r452", "r550", "r552", "r554", "x@nowhere"):
    to = to if "@" in to else to + "@test.local"
    print(refused(client.sendmail, "a@test.local", [to], b"x"))
for who in ("d451", "d554", "e451", "e552", "e554"):
    print(refused(client.sendmail, who + "@test.local", ["a@test.local"], b"x\r\n"))
    client.rset()
print(refused(client.sendmail, "e421@test.local", ["a@test.local"], b"x\r\n"))
]])
    assert.equal("450 550 450 452 550 552 554 554 451 554 451 552 554 421",
      (output:gsub("^[^\n]*\n", ""):gsub("\n$", ""):gsub("\n", " ")))
  end)

  it("can do without extensions, and without EHLO", function()
    assert.equal("\nTrue\n", run(pf, pf.bare, "plain", "print(client.does_esmtp == 1)"))
    assert.equal("\n250\n500\n", run(pf, pf.helo_only, "plain",
      "print(client.helo()[0])\nprint(client.docmd('EHLO', 'x')[0])"))
  end)

  it("lets Dovecot read mail back", function()
    run(pf, pf.mx, "plain", [[
client.sendmail("a@test.local", ["read@test.local"], b"""From: A <a@test.local>\r
To: read@test.local\r
Subject: =?UTF-8?B?5rWL6K+V?=\r
Content-Type: multipart/mixed; boundary=x\r
\r
--x\r
Content-Type: text/plain\r
\r
text\r
--x\r
Content-Type: image/png; name="a.png"\r
Content-Transfer-Encoding: base64\r
\r
AAAA\r
--x--\r
""")
]])
    assert.truthy(pf:wait_for("read@test.local", 1, 10))
    local list = dovecot.fetch(pf, "read@test.local", "imap.envelope imap.bodystructure")
    assert.equal(1, #list)
    assert.truthy(list[1]["imap.envelope"]:find('"=?UTF-8?B?5rWL6K+V?="', 1, true))
    assert.truthy(list[1]["imap.bodystructure"]:find(
      '"image" "png" ("name" "a.png") NIL NIL "base64" 4', 1, true))
    -- Dovecot has moved the message; it is found all the same.
    assert.equal(1, #pf:maildir("read@test.local"))
  end)
end)
