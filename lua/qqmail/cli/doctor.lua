--- `qqmail doctor`: the steps of a check, one line each.
-- @module qqmail.cli.doctor

local doctor = require("qqmail.doctor")
local dotenv = require("qqmail.dotenv")
local exit_codes = require("qqmail.cli.exit_codes")
local json = require("qqmail.json")
local reports = require("qqmail.doctor.report")
local terminal = require("qqmail.cli.terminal")

local M = {}

M.summary = { en = "find the step at which sending fails", zh = "找出发信在哪一步失败" }

M.about = {
  en = "Looks at the settings, the authorization code and the sender, looks the server up, "
    .. "connects to it, checks TLS and logs in once. Sends nothing unless --send is given. "
    .. "Settings come from options, the environment (QQMAIL_*) and .env, as in a program.",
  zh = "检查设置、授权码与发件人，解析服务器域名，建立连接，检查 TLS，并登录一次。"
    .. "除非给出 --send，不会发送邮件。设置来自命令行选项、环境变量（QQMAIL_*）和 .env，与程序中相同。",
}

--- `key`: the option of `qqmail.new` that a value becomes.
M.options = {
  { name = "to", value = "ADDR", many = true, doc = {
    en = "ask the server about this recipient, without a mail (may be repeated)",
    zh = "询问服务器是否接受该收件人，不发送邮件（可重复）" } },
  { name = "send", doc = { en = "send one test mail to --to, or to the account itself",
    zh = "发送一封测试邮件给 --to，未给出则发给自己" } },
  { name = "json", doc = { en = "print one JSON object", zh = "输出一个 JSON 对象" } },
  { name = "lang", value = "zh|en", doc = { en = "language of the output", zh = "输出语言" } },
  { name = "url", value = "URL", key = "url", doc = {
    en = "smtps://user@host:465; no password in it", zh = "smtps://user@host:465；不可包含密码" } },
  { name = "provider", value = "NAME", key = "provider",
    doc = { en = "preset, such as qq", zh = "服务商预设，如 qq" } },
  { name = "host", value = "NAME", key = "host", doc = { en = "server", zh = "服务器" } },
  { name = "port", value = "N", key = "port", doc = { en = "port", zh = "端口" } },
  { name = "tls", value = "MODE", key = "tls", doc = { en = "implicit, starttls or none",
    zh = "implicit、starttls 或 none" } },
  { name = "user", value = "ADDR", key = "user", doc = { en = "login", zh = "登录账号" } },
  { name = "from", value = "ADDR", key = "from", doc = { en = "sender", zh = "发件人" } },
  { name = "ca-file", value = "FILE", doc = { en = "trusted certificates", zh = "受信任的 CA 证书文件" } },
  { name = "password-file", value = "FILE", doc = {
    en = "file with the code, \"-\" for standard input; else QQMAIL_PASSWORD or .env",
    zh = "存放授权码的文件，“-”为标准输入；也可用 QQMAIL_PASSWORD 或 .env" } },
  { name = "timeout", value = "S", doc = { en = "seconds for all of it", zh = "总时限（秒）" } },
}

-- A password on the command line can be read by everybody on the machine (`ps`).
local NO_PASSWORD = {
  en = "a command line can be read by everybody on this machine (ps), so no password belongs "
    .. "there: use QQMAIL_PASSWORD, --password-file or .env",
  zh = "命令行对本机所有用户可见（ps），不能写密码：请用 QQMAIL_PASSWORD、--password-file 或 .env",
}

local PASSWORD_CAP = 16384

local function read_password(path)
  local text, why
  if path == "-" then
    text = io.read("*a")
  else
    text, why = dotenv.read_file(path, PASSWORD_CAP)
  end
  if not text or #text > PASSWORD_CAP then
    local reason = tostring(why or (text and "too large") or "no such file")
    return nil, { en = ("cannot read the password from %s: %s"):format(path, reason),
      zh = ("无法从 %s 读取密码：%s"):format(path, reason) }
  end
  return (text:gsub("[\r\n]*$", "", 1))
end

--- Refuse a secret among the words, before anything else is said about them.
-- @tparam table words
-- @treturn ?table what is wrong, `{ en =, zh = }`
function M.misuse(words)
  for index, word in ipairs(words) do
    local url = word:match("^%-%-url=(.*)$") or (word == "--url" and words[index + 1]) or ""
    if word:find("^%-%-password$") or word:find("^%-%-password=") or word:find("^%-%-token")
      or (url:match("^%a[%w+.-]*://([^/?#]*)@") or ""):find(":", 1, true) then
      return NO_PASSWORD
    end
  end
end

local function mailer_options(given)
  local out = { lang = given.lang }
  for _, row in ipairs(M.options) do
    if row.key then
      out[row.key] = given[row.name]
    end
  end
  if given["ca-file"] then
    out.tls_options = { ca_file = given["ca-file"] }
  end
  if given.timeout then
    out.timeout = { total = tonumber(given.timeout) or given.timeout }
  end
  if given["password-file"] then
    local text, why = read_password(given["password-file"])
    if not text then
      return nil, why
    end
    out.password = text
  end
  return out
end

local function what_of(given)
  return { to = given.to and table.concat(given.to, ", "), send = given.send, lang = given.lang }
end

local function print_json(world, report)
  local plain = report:plain()
  plain.exit = exit_codes.of(report.error)
  return world.write(json.encode(plain) .. "\n")
end

local function print_error(world, err, as_json)
  local code = exit_codes.of(err)
  world.complain(tostring(err) .. "\n")
  if not as_json then
    return code
  end
  local plain = { ok = false, steps = {}, error = reports.plain_error(err), exit = code }
  return world.write(json.encode(plain) .. "\n") and code or exit_codes.IOERR
end

--- Run it.
-- @tparam table given the options of the command line, by name
-- @tparam table world `write`, `complain`, `getenv`, `lang`
-- @treturn ?number exit code
-- @treturn ?table `{ en =, zh = }`: the command line is wrong
function M.run(given, world)
  if given[1] then
    -- It may be a secret: it is not shown.
    return nil, { en = "there is a word that belongs to no option", zh = "有不属于任何选项的参数" }
  end
  local options, why = mailer_options(given)
  if not options then
    return nil, why
  end
  local what, style = what_of(given), terminal.style(world.getenv, world.is_terminal)
  if not given.json then
    what.on_step = function(step, report)
      world.write(report:render_step(step, style))
    end
  end
  local report, err = doctor.run(options, what)
  if not report then
    return print_error(world, err, given.json)
  end
  local ok
  if given.json then
    ok = print_json(world, report)
  else
    ok = world.write(report:render_end(style))
  end
  return ok and exit_codes.of(report.error) or exit_codes.IOERR
end

return M
