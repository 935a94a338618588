--- What a check has to do under every driver. `run(options, what)` makes a mailer,
-- checks it and answers `report:plain()` and the report as text.
local assert = require("luassert")
local busted = require("busted")
local logins = require("qqmail.logins")
local send = require("spec.support.send")

local Suite = {}
Suite.__index = Suite

local function marks(plain)
  local out = {}
  for index, step in ipairs(plain.steps) do
    out[index] = step.name .. (step.status == "failed" and "*" or "")
  end
  return table.concat(out, " ")
end

local HASTY = { timeout = { connect = 5, reply = 0.5, final = 5, total = 20 } }

local function options_for(server, more)
  return send.merge(send.options(server, { provider = "qq" }), more)
end

function Suite:does_it_all()
  for mode, order in pairs({ implicit = "tls greeting", starttls = "greeting tls" }) do
    local server = send.qq_server({ mode = mode })
    local plain = self.run(options_for(server), { to = "a@qq.com", send = true })
    assert.equal(("settings code from dns connect %s ehlo auth envelope mail"):format(order),
      marks(plain))
    assert.is_true(plain.ok)
    assert.equal(1, server:auth_attempts())
    assert.equal(1, #server:messages())
    send.stop()
  end
end

function Suite:asks_about_envelopes()
  local server = send.qq_server({ rcpt_check = "strict", unknown_recipients = { "x@qq.com" } })
  local plain = self.run(options_for(server), { to = "x@qq.com" })
  assert.equal("recipient", plain.error.kind)
  assert.equal(1, server:auth_attempts())
  assert.equal(0, send.count(server, "DATA"))
end

function Suite:logs_in_once()
  local server = send.qq_server({ users = {} })
  local plain, text = self.run(options_for(server), {})
  assert.equal("settings code from dns connect tls greeting ehlo auth*", marks(plain))
  assert.equal(1, server:auth_attempts())
  send.lacks(text, send.CODE)
end

function Suite:finds_out_who_answers()
  local server = send.server({ mode = "starttls" })
  local plain = self.run(options_for(server, { tls = "implicit" }), {})
  assert.equal("tls.not_tls", plain.error.code)
  assert.equal("smtp", plain.steps[#plain.steps].details.answers.kind)
  server = send.server({ mode = "implicit" })
  plain = self.run(options_for(server, send.merge({ tls = "starttls" }, HASTY)), {})
  assert.equal("timeout.no_greeting", plain.error.code)
  assert.equal("tls", plain.steps[#plain.steps].details.answers.kind)
end

function Suite:tells_of_closed_ports()
  local server = send.qq_server()
  local options = options_for(server)
  server:stop()
  local plain = self.run(options, {})
  assert.equal("connect.refused", plain.error.code)
  assert.equal("refused", plain.steps[#plain.steps].details.addresses[1].reason)
end

function Suite:judges_certificates()
  local server = send.server({ mode = "implicit", cert = "expired" })
  local plain = self.run(options_for(server, { host = "localhost" }), {})
  assert.equal("tls.expired", plain.error.code)
  assert.equal("certificate", plain.steps[#plain.steps].details.at_fault)
end

local CASES = { "does_it_all", "asks_about_envelopes", "logs_in_once", "finds_out_who_answers",
  "tells_of_closed_ports", "judges_certificates" }

--- Declares the specs.
-- @tparam string name of the driver
-- @tparam table runner `run`; `missing`: why it cannot run, or nil
return function(name, runner)
  local suite = setmetatable({ run = runner.run }, Suite)
  busted.describe("a check over the driver " .. name, function()
    busted.after_each(function()
      send.stop()
      logins.forget_all()
    end)
    for _, case in ipairs(CASES) do
      busted.it(case:gsub("_", " "), function()
        if runner.missing then
          busted.pending(runner.missing)
          return
        end
        suite[case](suite)
      end)
    end
  end)
end
