--- Logins: the mechanisms' messages, the choice among them, and servers that lie.
local core = require("qqmail.core")
local crypto = require("qqmail.crypto")
local certs = require("spec.support.certs")
local json = require("spec.support.json")
local logins = require("qqmail.logins")
local postfix = require("spec.support.postfix")
local qqmail = require("qqmail")
local send = require("spec.support.send")

local codec = core.codec

local USER, CODE = send.USER, send.CODE

local function server_of(mechanisms, more)
  return send.server(send.merge({
    scenario = "spec.support.scram_scenario", mode = "implicit", mechanisms = mechanisms,
    users = { [USER] = CODE },
  }, more))
end

-- The mechanism by which the server's only client logged in.
local function used(server)
  return server:messages()[1].auth.mechanism
end

after_each(send.stop)

-- --- vectors --------------------------------------------------------------------

-- The wire of one row: what the session and we say, without base64.
local function wire_of(row)
  local with = row.token and { token = row.token } or { password = row.password }
  local session = assert(core.session({
    hostname = "me", user = row.user, password = with.password, token = with.token,
    host = row.host, port = row.port, mechanisms = { row.mech }, allow_plaintext_auth = true,
  }))
  local said = {}
  local function move()
    while session:event() do end
    local output = session:output()
    if output then
      session:sent(#output)
      local bytes = output:match("^AUTH %S+ (%S+)\r\n$") or output:match("^(%S*)\r\n$")
      if bytes then
        said[#said + 1] = codec.base64_decode(bytes)
      end
    end
  end
  session:feed("220 hi\r\n")
  move()
  session:feed("250-hi\r\n250 AUTH " .. row.mech .. "\r\n")
  move()
  for _, text in ipairs(row.prompts or {}) do
    session:feed("334 " .. codec.base64(text) .. "\r\n")
    move()
  end
  session:close()
  return said
end

local function run_scram(row)
  local exchange = assert(crypto.scram({
    digest = row.mech:match("^SCRAM%-(.*)$"), user = row.user, password = row.password,
    nonce = row.cnonce,
  }))
  local said = { exchange:first(), assert(exchange:final(row.server[1])) }
  assert.is_true(exchange:verify(row.server[2]))
  return said
end

-- An authorization name of its own is nothing a sender of mail has use for.
local function is_for_us(row)
  return row.authzid == nil or row.authzid == ""
end

describe("vectors", function()
  local file = io.open("../shared/corpora/sasl/vectors.jsonl")
  if not file then
    pending("the corpus is not here")
    return
  end
  local rows = {}
  for line in file:lines() do
    rows[#rows + 1] = json.decode(line)
  end
  file:close()

  it("are all there", function()
    assert.is_true(#rows >= 15)
  end)

  for _, row in ipairs(rows) do
    if is_for_us(row) then
      it(row.id, function()
        local said
        if row.mech:find("^SCRAM") then
          said = run_scram(row)
        elseif row.mech == "CRAM-MD5" then
          said = { crypto.cram_md5(row.user, row.password, row.challenge) }
        else
          said = wire_of(row)
        end
        assert.same(row.client, said)
        if row.wire_b64 then
          assert.equal(row.wire_b64[1], codec.base64(said[1]))
        end
      end)
    end
  end
end)

-- --- the choice -----------------------------------------------------------------

describe("the mechanism", function()
  local ALL = "LOGIN PLAIN CRAM-MD5 SCRAM-SHA-1 SCRAM-SHA-256 SCRAM-SHA-1-PLUS SCRAM-SHA-256-PLUS"

  local function chosen(mechanisms, more_server, more)
    local server = server_of(mechanisms, more_server)
    send.good(send.mailer(server, more))
    return used(server), server:connections()[1].gs2
  end

  it("is the strongest that both sides have", function()
    assert.equal("SCRAM-SHA-256-PLUS", (chosen(ALL)))
    assert.equal("SCRAM-SHA-1-PLUS", (chosen("PLAIN SCRAM-SHA-256 SCRAM-SHA-1-PLUS")))
    assert.equal("SCRAM-SHA-256", (chosen("PLAIN SCRAM-SHA-1 SCRAM-SHA-256 CRAM-MD5")))
    assert.equal("SCRAM-SHA-1", (chosen("PLAIN SCRAM-SHA-1 LOGIN")))
  end)

  it("is a password rather than CRAM-MD5 inside TLS, and the other way in clear", function()
    assert.equal("PLAIN", (chosen("CRAM-MD5 LOGIN PLAIN")))
    assert.equal("CRAM-MD5", (chosen("CRAM-MD5 LOGIN PLAIN", { mode = "plain" })))
    assert.equal("CRAM-MD5", (chosen("CRAM-MD5")))
  end)

  it("is not bound to a channel in clear", function()
    local mechanism, header = chosen("SCRAM-SHA-256 SCRAM-SHA-256-PLUS", { mode = "plain" })
    assert.equal("SCRAM-SHA-256", mechanism)
    assert.equal("n,,", header)
  end)

  it("is one of `auth`", function()
    assert.equal("LOGIN", (chosen(ALL, nil, { auth = "LOGIN" })))
    local mechanism, header = chosen(ALL, nil, { auth = { "SCRAM-SHA-1", "PLAIN" } })
    assert.equal("SCRAM-SHA-1", mechanism)
    assert.equal("n,,", header) -- the server binds, and we do not want to
  end)

  it("is the preset's, whatever the server offers", function()
    local server = server_of(ALL)
    send.good(send.qq_mailer(server))
    assert.equal("PLAIN", used(server))
  end)

  it("is the password itself where SCRAM depends on the normal form", function()
    local users = { ["用户@test.local"] = "密码密码" }
    local more = { user = "用户@test.local", password = "密码密码", from = "a@test.local" }
    assert.equal("PLAIN", (chosen("PLAIN SCRAM-SHA-256", { users = users }, more)))
    assert.equal("SCRAM-SHA-256", (chosen("SCRAM-SHA-256", { users = users }, more)))
    assert.equal("SCRAM-SHA-256",
      (chosen("PLAIN SCRAM-SHA-256", { users = users, mode = "plain" }, more)))
  end)

  it("is bound by the exporter in TLS 1.3, by the handshake before", function()
    local _, header = chosen(ALL)
    assert.equal("p=tls-exporter,,", header)
    _, header = chosen(ALL, { tls = { max_version = "1.2" } })
    assert.equal("p=tls-unique,,", header)
    _, header = chosen(ALL, { mode = "starttls" })
    assert.equal("p=tls-exporter,,", header)
  end)

  it("says that it could be bound where the server does not offer it", function()
    local _, header = chosen("SCRAM-SHA-256")
    assert.equal("y,,", header)
  end)

  it("needs no password for EXTERNAL", function()
    local server = server_of("EXTERNAL PLAIN",
      { tls = { verify = true, ca_file = certs.path("ca.pem") } })
    local options = send.options(server, { auth = "EXTERNAL", from = "a@test.local",
      tls_options = { cert = certs.path("client.pem"), key = certs.path("client.key") } })
    options.password = nil
    local mailer = assert(qqmail.new(options))
    send.good(mailer)
    mailer:close()
    assert.equal("EXTERNAL", used(server))
    assert.equal(USER, server:messages()[1].auth.user)
  end)

  it("is not EXTERNAL without a certificate", function()
    local _, err = qqmail.new({ host = "mx.test", auth = "EXTERNAL", from = "a@test.local" })
    send.is_error(err, { kind = "config", code = "config.contradiction" })
  end)

  it("loads cryptography only where it is needed", function()
    local sasl = require("qqmail.sasl")
    local loaded = package.loaded["qqmail.crypto"]
    package.loaded["qqmail.crypto"] = nil
    send.good(send.qq_mailer(server_of(ALL)))
    sasl.preload({ "PLAIN", "LOGIN", "XOAUTH2" })
    local early = package.loaded["qqmail.crypto"]
    sasl.preload({ "PLAIN", "SCRAM-SHA-1" })
    local late = package.loaded["qqmail.crypto"]
    package.loaded["qqmail.crypto"] = loaded
    assert.is_nil(early)
    assert.is_table(late)
  end)

  it("does without cryptography where it cannot be loaded", function()
    local loaded, preload = package.loaded["qqmail.crypto"], package.preload["qqmail.crypto"]
    local server = server_of("SCRAM-SHA-256 CRAM-MD5 PLAIN")
    package.loaded["qqmail.crypto"] = nil
    package.preload["qqmail.crypto"] = function() error("another OpenSSL") end
    local mailer = send.mailer(server)
    local receipt, err = mailer:send(send.message())
    package.loaded["qqmail.crypto"], package.preload["qqmail.crypto"] = loaded, preload
    assert.is_table(receipt, tostring(err))
    assert.equal("PLAIN", used(server))
  end)
end)

-- --- servers that lie -----------------------------------------------------------

describe("a server", function()
  local function fails(scram, fields, part, more)
    local server = server_of("SCRAM-SHA-256", send.merge({ scram = scram }, more))
    local mailer = send.mailer(server)
    local err = send.bad(mailer, send.merge({ kind = "auth", phase = "auth", delivered = "no",
      retry = "never" }, fields))
    send.has(err, part)
    send.lacks(err, CODE)
    send.lacks(send.heard(server), "MAIL FROM")
    return err, server
  end

  local BAD = { code = "auth.bad_challenge" }
  local FALSE = { code = "auth.server_not_proven" }

  it("must prove that it knows the password", function()
    fails({ last = "v=" .. codec.base64(("x"):rep(32)) }, FALSE, "its signature is wrong")
    fails({ last = "v=" .. codec.base64("short") }, FALSE, "its signature is wrong")
    fails({ last = "v=!" }, FALSE, "its signature is wrong")
    fails({ last = "x=1" }, FALSE, "not a message of SCRAM")
    fails({ last = "" }, FALSE, "not a message of SCRAM")
    fails({ skip_proof = true }, FALSE, "did not prove")
  end)

  it("gets no answer to a challenge that is none", function()
    fails({ first = "r=NONCE,s=YQ==,i=4096" }, BAD, "nonce")
    fails({ first = "r=other,s=YQ==,i=4096" }, BAD, "nonce")
    fails({ first = "r=NONCE\1x,s=YQ==,i=4096" }, BAD, "nonce")
    fails({ first = "r=NONCEx,i=4096" }, BAD, "salt")
    fails({ first = "r=NONCEx,s=,i=4096" }, BAD, "salt")
    fails({ first = "r=NONCEx,s=*,i=4096" }, BAD, "salt")
    fails({ first = "r=NONCEx,s=YQ==" }, BAD, "iteration count")
    fails({ first = "r=NONCEx,s=YQ==,i=0" }, BAD, "iteration count")
    fails({ first = "r=NONCEx,s=YQ==,i=-1" }, BAD, "iteration count")
    fails({ first = "r=NONCEx,s=YQ==,i=1000001" }, BAD, "iteration count")
    fails({ first = "r=NONCEx,s=YQ==,i=2147483648" }, BAD, "iteration count")
    fails({ first = "r=NONCEx,s=YQ==,i=99999999999999999999999" }, BAD, "iteration count")
    fails({ first = "m=x,r=NONCEx,s=YQ==,i=4096" }, BAD, "extension")
    fails({ first = "" }, BAD, "not a message of SCRAM")
    fails({ first = "not base64!", raw = "first" }, BAD, "cannot be answered")
  end)

  it("may have extensions behind, and an unusual count", function()
    local server = server_of("SCRAM-SHA-1", { scram = { salt = ("s"):rep(500), rounds = 1,
      first = ("r=NONCEserver,s=%s,i=1,x=y"):format(codec.base64(("s"):rep(500))) } })
    send.good(send.mailer(server))
    assert.equal("SCRAM-SHA-1", used(server))
  end)

  it("is proved the password anew without hashing it anew", function()
    local sasl = require("qqmail.sasl")
    local new, memories, forgotten = sasl.memory, {}, 0
    sasl.memory = function()
      local memory = new()
      local forget = memory.forget
      memory.forget = function(self)
        forgotten = forgotten + 1
        forget(self)
      end
      memories[#memories + 1] = memory
      return memory
    end
    local server = server_of("SCRAM-SHA-256")
    local mailer = send.mailer(server, { pool = { messages = 1 } })
    local first, err = mailer:send(send.message())
    local salted = memories[1] and memories[1].salted
    local second = mailer:send(send.message())
    mailer:close()
    sasl.memory = new
    assert.is_table(first, tostring(err))
    assert.is_table(second)
    assert.equal(2, server:auth_attempts())
    assert.equal(1, #memories)
    assert.is_truthy(salted)
    assert.equal(salted, memories[1].salted)
    assert.is_true(forgotten > 0)
  end)

  it("that refuses SCRAM may have no secret for it", function()
    local function hint_of(mechanisms, more)
      local server = server_of(mechanisms, { mode = more and more.mode, users = { [USER] = "x" } })
      local err = send.bad(send.mailer(server, more and more.options), { code = "auth.refused" })
      return err.hint
    end
    send.has(hint_of("SCRAM-SHA-256 PLAIN"), 'auth = "PLAIN"')
    send.has(hint_of("SCRAM-SHA-256", { options = { lang = "zh" } }), '请设置 auth = "PLAIN"')
    send.lacks(hint_of("PLAIN"), "SCRAM")
    send.lacks(hint_of("CRAM-MD5"), "SCRAM")
    send.lacks(hint_of("SCRAM-SHA-256", { mode = "plain" }), "SCRAM")
  end)

  it("that refused SCRAM may be asked at once by PLAIN", function()
    local server = server_of("SCRAM-SHA-256 PLAIN", { scram = { first = "e=other-error" } })
    send.bad(send.mailer(server), { code = "auth.refused" })
    local err = send.bad(send.mailer(server), { code = "auth.refused", not_tried = true })
    send.has(err.message, "not tried")
    send.good(send.mailer(server, { auth = "PLAIN" }))
    assert.equal("PLAIN", used(server))
    assert.equal(2, server:auth_attempts())
  end)

  it("may refuse in the words of SCRAM", function()
    local err = fails({ first = "e=unknown-user" }, { code = "auth.refused" },
      "535 5.7.8 authentication failed (e=unknown-user)")
    assert.equal(535, err.smtp.code)
    send.has(err.hint, 'auth = "PLAIN"')
  end)

  it("that will not be bound to the channel is not handed the password itself", function()
    local err = fails({ first = "e=server-does-support-channel-binding" },
      { code = "auth.refused" }, "(e=server-does-support-channel-binding)")
    send.lacks(err.hint, "PLAIN")
    fails({ last = "e=channel-bindings-dont-match" }, FALSE, "did not prove")
  end)

  it("cannot go on with challenges for ever", function()
    fails({ endless = true }, BAD, "the login was over")
    local server = server_of("CRAM-MD5", { scram = { endless = true } })
    local err = send.bad(send.mailer(server), { code = "auth.bad_challenge" })
    send.has(err, "the login was over")
  end)

  it("must give CRAM-MD5 something to hash", function()
    local server = server_of("CRAM-MD5", { scram = { first = "" } })
    send.has(send.bad(send.mailer(server), { code = "auth.bad_challenge" }), "empty")
  end)

  it("that took the offer of channel binding away is found out", function()
    -- The client sees one list, the server has another: "y" tells it so.
    local server = server_of("SCRAM-SHA-256 SCRAM-SHA-256-PLUS", {
      replies = { ehlo = "250-mx.test\r\n250 AUTH SCRAM-SHA-256" } })
    local mailer = send.mailer(server)
    send.bad(mailer, { kind = "auth", code = "auth.refused" })
    assert.equal("y,,", server:connections()[1].gs2)
  end)

  it("keeps a login it refused from being tried again", function()
    local server = server_of("SCRAM-SHA-256", { users = { [USER] = "another" } })
    local mailer = send.mailer(server)
    send.bad(mailer, { code = "auth.refused" })
    assert.is_true(send.bad(mailer, { code = "auth.refused" }).not_tried)
    assert.equal(1, server:auth_attempts())
  end)

  it("that was not proved or made no sense does not block the account", function()
    local err, server = fails({ last = "v=" .. codec.base64(("x"):rep(32)) }, FALSE, "signature")
    assert.is_false(logins.is_refusal(err))
    send.bad(send.mailer(server), FALSE)
    assert.equal(2, server:auth_attempts())
  end)

  it("learns no secret, and none is in the transcript", function()
    local server = server_of("SCRAM-SHA-256", { users = { [USER] = "another" } })
    local err = send.bad(send.mailer(server), { code = "auth.refused" })
    local lines = {}
    for _, line in ipairs(err.transcript) do
      lines[#lines + 1] = line.line
    end
    local text = table.concat(lines, "\n")
    send.has(text, "AUTH SCRAM-SHA-256 ******")
    send.lacks(text, "p=")
    send.lacks(text .. send.heard(server), CODE)
    send.lacks(text .. send.heard(server), codec.base64(CODE))
  end)

  -- With what SCRAM says on both sides anybody could try passwords until one fits.
  it("lets nobody guess the password from a transcript", function()
    local server = server_of("SCRAM-SHA-256", { replies = { mail = "550 5.7.1 no" } })
    local err = send.bad(send.mailer(server), { phase = "mail" })
    local said = {}
    for _, line in ipairs(err.transcript) do
      if line.dir == "S" and line.line:find("^334") then
        said[#said + 1] = line.line
      end
    end
    assert.same({ "334 ******", "334 ******" }, said)
  end)
end)

-- --- real servers ---------------------------------------------------------------

describe("Dovecot", function()
  local missing = postfix.missing()
  if missing then
    pending("takes all mechanisms (" .. missing .. ")")
    return
  end
  local pf

  setup(function()
    pf = postfix.start()
  end)

  local function try(auth, more)
    local options = send.merge({ host = pf.host, port = pf.smtps, tls = "implicit", retry = false,
      user = pf.user, password = pf.password, auth = auth, lang = "en", from = pf.user,
      tls_options = { ca_file = pf.ca } }, more)
    if options.token then
      options.password = nil
    end
    local mailer, bad = qqmail.new(options)
    assert.is_table(mailer, tostring(bad))
    local receipt, err = mailer:send(send.message())
    mailer:close()
    return receipt, err
  end

  local function works(auth, more)
    local receipt, err = try(auth, more)
    assert.is_table(receipt, tostring(err))
  end

  for _, mechanism in ipairs({ "PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256" }) do
    it("takes " .. mechanism, function()
      works(mechanism)
      works(mechanism, { port = pf.submission, tls = "starttls" })
      works(mechanism, { port = pf.plain, tls = "none", allow_plaintext_auth = true })
    end)

    it("refuses a wrong password by " .. mechanism, function()
      local _, err = try(mechanism, { password = "wrong-password" })
      send.is_error(err, { kind = "auth", code = "auth.refused" })
      assert.equal(535, err.smtp.code)
    end)
  end

  it("takes the best by itself", function()
    works(nil)
  end)

  it("takes SCRAM with a name and a password beyond ASCII", function()
    works("SCRAM-SHA-256", { user = "用户@qq.com", password = "密码密码", from = "a@qq.com" })
  end)

  -- RFC 7519, without padding and in the alphabet of URLs.
  local function url64(bytes)
    return (codec.base64(bytes):gsub("%+", "-"):gsub("/", "_"):gsub("=", ""))
  end

  local function token_for(user, expires, more)
    local signed = url64('{"alg":"HS256","typ":"JWT"}') .. "."
      .. url64(('{"sub":"%s","iat":1500000000,"exp":%d,"roles":"%s"}'):format(user, expires,
        more or ""))
    return signed .. "." .. url64(crypto.hmac("SHA-256", "key of the specs", signed))
  end

  for _, mechanism in ipairs({ "XOAUTH2", "OAUTHBEARER" }) do
    it("takes a token by " .. mechanism .. ", and a fresh one for one that is over", function()
      works(mechanism, { token = token_for(pf.user, 4000000000) })
      works(mechanism, { token = function(refused)
        return token_for(pf.user, refused and 4000000001 or 1500000001)
      end })
    end)

    -- More than Postfix takes of a command.
    it("takes a long token by " .. mechanism, function()
      works(mechanism, { token = token_for(pf.user, 4000000002, ("x"):rep(2500)) })
    end)

    it("refuses an old token by " .. mechanism, function()
      local _, err = try(mechanism, { token = token_for(pf.user, 1500000002) })
      send.is_error(err, { kind = "auth" })
      send.has(err, "status")
    end)
  end
end)
