-- errors_doc.lua [--write]: docs/errors.md and its Chinese twin, made from the
-- catalogue of errors. Without --write it only compares. Run from the root, with the
-- library on package.path.
local catalogue = require "qqmail.catalogue"
local diagnose = require "qqmail.diagnose"

local RULE_CODE = [[
```lua
local mailer = assert(require("qqmail").new {
  host = "mail.example.com", user = "ops@example.com", password = os.getenv("MAIL_CODE"),
  rules = {
    { code = 554, text = "quota of project", as = "rate.project_quota", retry = "later",
      retry_after = 3600, hint = { en = "Ask ops for more.", zh = "请联系运维扩容。" } },
    { reason = "closed", phase = "auth", as = "auth.vpn_needed", hint = "Start the VPN." },
  },
})
```
]]

local PAGES = {
  {
    path = "docs/errors.md", lang = "en", twin = "[中文](errors.zh-CN.md)", title = "# Errors",
    note = "<!-- Made by `make errors-doc` from lua/qqmail/catalogue.lua. -->",
    head = [[
Every call that fails returns `nil, err`. First look at
[what people ask first](troubleshooting.md); `qqmail doctor` checks the way to the
server step by step: [doctor.md](doctor.md).

## An error

| field | |
|---|---|
| `kind` | what went wrong in the large: the sections below |
| `code` | what exactly; stable |
| `message` | the sentence, in the language of `lang`; texts may change |
| `hint` | what to do about it; always there |
| `help_url` | a page of the provider, where there is one |
| `retry` | `"now"`, `"later"`, or `"never"`: something must be changed first |
| `retry_after` | seconds until a try makes sense, where that is known |
| `delivered` | `"no"`, or `"unknown"`: perhaps taken, see [delivery.md](delivery.md) |
| `phase` | where in the dialogue |
| `smtp` | the server's answer: `code`, `enhanced`, `text` |
| `recipients` | the outcome of each address, when all were refused |
| `field` | the option or the field of the message at fault |
| `cause` | why the function for a password or token gave none, in its words |
| `attempts`, `transcript` | tries that were made, and the dialogue with secrets masked |

`tostring(err)` is one line with all that matters. What can pass by itself has been
tried again before the error comes back.

Texts are in Chinese where `lang`, `QQMAIL_LANG`, or else the locale (`LC_ALL`,
`LC_MESSAGES`, `LANG`) says so, in English elsewhere.

## Rules of your own

A server of your own may say things that no rule knows. `rules` come before those of
the library, for this mailer and its `failover` accounts:

]] .. RULE_CODE .. [[

All conditions of a rule must fit, each with one of its values (one, or a list):
`text` (a part of the server's text, in any case), `code` (a number, `"4xx"`, `"5xx"`),
`enhanced`, `phase`, `host` (`".example.com"`: any in that domain). A rule with `reason`
is for failures without a reply: `"timeout"`, `"closed"`, `"refused"`, `"unreachable"`,
`"not_found"`, a fault of TLS such as `"expired"`, and so on. `as` is the code of the
error, its kind in front. What a rule does not say of `retry`, `retry_after`, `hint`,
`help_url` comes from the row of
the code below. Two things no rule can change: whether a delivery is unknown, and that a
refused login (5xx in `auth`) is `"never"` tried again by itself.
]],
    retry = "Retry", to_do = "What to do", help = "Help", kind = "Kind", seen = "Seen as",
    at = " in ", either = " or ", colon = ": ", comma = ", ", bracket = { " (", ")" },
    quotes = { '"', '"' }, any = "any answer", seconds = "%d s",
    retries = { now = "now", later = "later", never = "never, unless something is changed" },
    warnings = { "Warnings", "Entries of the list `warnings`; nothing fails for them." },
    unknown = "Where `delivered` is `\"unknown\"`, the hint is this instead: ",
  },
  {
    path = "docs/errors.zh-CN.md", lang = "zh", twin = "[English](errors.md)", title = "# 错误",
    note = "<!-- 由 `make errors-doc` 根据 lua/qqmail/catalogue.lua 生成。 -->",
    head = [[
失败的调用返回 `nil, err`。请先看[常见问题](troubleshooting.zh-CN.md)；`qqmail doctor`
可逐步检查到服务器的每个环节，见 [doctor.zh-CN.md](doctor.zh-CN.md)。

## 错误对象

| 字段 | |
|---|---|
| `kind` | 大类，即下面各节 |
| `code` | 具体代码，保持稳定 |
| `message` | 一句话说明，语言由 `lang` 决定；文字可能变化 |
| `hint` | 该怎么办；总是有 |
| `help_url` | 服务商的帮助页（若有） |
| `retry` | `"now"`（可立即重试）、`"later"`（稍后）或 `"never"`（必须先做修改） |
| `retry_after` | 已知时，多少秒后重试才有意义 |
| `delivered` | `"no"`；或 `"unknown"`：服务器可能已收下邮件，见 [delivery.zh-CN.md](delivery.zh-CN.md) |
| `phase` | 发生在对话的哪个阶段 |
| `smtp` | 服务器的答复：`code`、`enhanced`、`text` |
| `recipients` | 所有收件人都被拒绝时，各地址的结果 |
| `field` | 有误的选项或邮件字段 |
| `cause` | 密码或令牌函数自己给出的失败原因 |
| `attempts`、`transcript` | 尝试次数，以及遮盖了密码的对话记录 |

`tostring(err)` 用一行给出所有要点。能自行恢复的问题，在返回错误之前已经重试过。

`lang`、`QQMAIL_LANG` 或语言环境（`LC_ALL`、`LC_MESSAGES`、`LANG`）指定中文时，文字为中文，否则为英文。

## 自定义规则

自建服务器可能有内置规则不认识的说法。`rules` 优先于内置规则，对该 mailer 及其 `failover` 账号生效：

]] .. RULE_CODE .. [[

一条规则的所有条件都须满足，每个条件给一个值或一个列表：`text`（服务器文本的一部分，不分大小写）、
`code`（数字、`"4xx"`、`"5xx"`）、`enhanced`、`phase`、`host`（`".example.com"` 表示该域下的所有主机）。
带 `reason` 的规则用于没有应答的失败：`"timeout"`、`"closed"`、`"refused"`、`"unreachable"`、
`"not_found"`，以及 `"expired"` 等 TLS 故障。
`as` 是错误的 code，以种类开头。规则没有写明的 `retry`、`retry_after`、`hint`、`help_url` 取自下面该
code 的条目。有两点任何规则都不能改变：投递结果是否未知；登录被拒绝（`auth` 阶段的 5xx）后 `retry` 总是
`"never"`，不会自动重试。
]],
    retry = "重试", to_do = "处理", help = "帮助", kind = "种类", seen = "表现为",
    at = " @ ", either = " 或 ", colon = "：", comma = "，", bracket = { "（", "）" },
    quotes = { "“", "”" }, any = "任何答复", seconds = "%d 秒",
    retries = { now = "立即", later = "稍后", never = "不要重试，须先修改" },
    warnings = { "警告", "出现在 `warnings` 列表中，不会导致失败。" },
    unknown = "`delivered` 为 `\"unknown\"` 时，提示改为：",
  },
}

local function read(path)
  local file = io.open(path, "rb")
  local text = file and file:read("*a")
  if file then
    file:close()
  end
  return text
end

local function code(text)
  return "`" .. text .. "`"
end

-- Angle brackets would be taken for HTML, and vanish.
local function plain(text)
  return (text:gsub("<", "&lt;"):gsub(">", "&gt;"))
end

local function list(page, values, form)
  local out = {}
  for i, value in ipairs(values) do
    out[i] = form(tostring(value))
  end
  return table.concat(out, page.either)
end

-- What a rule looks at, in words.
local function conditions(page, rule)
  local parts = {}
  if rule.code or rule.enhanced then
    parts[#parts + 1] = list(page, rule.code or rule.enhanced, code)
  end
  if rule.text then
    parts[#parts + 1] = list(page, rule.text, function(text)
      return page.quotes[1] .. plain(text) .. page.quotes[2]
    end)
  end
  for _, name in ipairs { "host", "port", "tls", "address" } do
    if rule[name] then
      parts[#parts + 1] = name .. " " .. list(page, rule[name], code)
    end
  end
  local where = rule.phase and #rule.phase <= 3 and page.at .. table.concat(rule.phase, "/") or ""
  return (#parts > 0 and table.concat(parts, page.comma) or page.any) .. where
end

-- The rules that lead to a code by something a reader may have before him: the words
-- of a server, or a remedy of their own.
local function rules_of(page, row)
  local out = {}
  for _, rule in ipairs(catalogue.rules) do
    if rule.as == row.code and (rule.text or rule.hint) then
      local line = "- " .. conditions(page, rule)
      if rule.hint and rule.hint.en ~= row.hint.en then
        line = line .. page.colon .. plain(rule.hint[page.lang])
      end
      if rule.url then
        line = line .. page.bracket[1] .. "<" .. rule.url .. ">" .. page.bracket[2]
      end
      out[#out + 1] = line
    end
  end
  return out
end

local function retry_text(page, row)
  local text = page.retries[row.retry]
  if row.retry_after then
    text = text .. page.bracket[1] .. page.seconds:format(row.retry_after) .. page.bracket[2]
  end
  return text
end

local function entry(page, row, out)
  out[#out + 1] = ('<a id="%s"></a>\n\n### %s\n'):format(row.code:gsub("[._]", "-"), code(row.code))
  out[#out + 1] = plain(row.cause[page.lang]) .. "\n"
  if not row.warning then
    out[#out + 1] = "- **" .. page.retry .. "**" .. page.colon .. retry_text(page, row)
  end
  out[#out + 1] = "- **" .. page.to_do .. "**" .. page.colon .. plain(row.hint[page.lang])
  if row.url then
    out[#out + 1] = "- **" .. page.help .. "**" .. page.colon .. "<" .. row.url .. ">"
  end
  out[#out + 1] = ""
  local rules = rules_of(page, row)
  if #rules > 0 then
    out[#out + 1] = page.seen .. page.colon .. "\n"
    out[#out + 1] = table.concat(rules, "\n") .. "\n"
  end
end

local function section(page, title, note, wanted, out)
  out[#out + 1] = "## " .. title .. "\n"
  if note then
    out[#out + 1] = note .. "\n"
  end
  for _, row in ipairs(catalogue.codes) do
    if wanted(row) then
      entry(page, row, out)
    end
  end
end

local function contents(page, out)
  for _, kind in ipairs(catalogue.kinds) do
    local links = {}
    for _, row in ipairs(catalogue.codes) do
      if not row.warning and diagnose.kind_of(row.code) == kind.kind then
        links[#links + 1] = ("[%s](#%s)"):format(row.code, (row.code:gsub("[._]", "-")))
      end
    end
    out[#out + 1] = "- **" .. kind.kind .. "** " .. kind.title[page.lang] .. page.colon
      .. table.concat(links, " · ")
  end
  out[#out + 1] = ""
end

local function make(page)
  local out = { page.title .. "\n", page.note .. "\n", page.twin .. "\n", page.head }
  out[#out + 1] = page.unknown .. plain(catalogue.when_unknown[page.lang]) .. "\n"
  contents(page, out)
  for _, kind in ipairs(catalogue.kinds) do
    section(page, code(kind.kind) .. page.colon .. kind.title[page.lang], nil, function(row)
      return not row.warning and diagnose.kind_of(row.code) == kind.kind
    end, out)
  end
  section(page, page.warnings[1], page.warnings[2], function(row)
    return row.warning
  end, out)
  return (table.concat(out, "\n"):gsub("\n+$", "\n"))
end

local bad = 0
for _, page in ipairs(PAGES) do
  local text = make(page)
  if arg[1] == "--write" then
    local file = assert(io.open(page.path, "wb"))
    assert(file:write(text))
    assert(file:close())
    print("errors_doc: wrote " .. page.path)
  elseif read(page.path) ~= text then
    print("errors_doc: " .. page.path .. " is out of date: make errors-doc")
    bad = 1
  end
end
os.exit(bad)
