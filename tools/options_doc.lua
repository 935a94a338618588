-- options_doc.lua [--write]: docs/options.md and its Chinese twin, made from
-- the rows that check the options. Without --write it only compares. Run from
-- the root, with the library on package.path.
local config = require "qqmail.config"
local made_pages = dofile("tools/made_pages.lua")

local PAGES = {
  {
    path = "docs/options.md", lang = "en", head = [[
# Options

<!-- Made by `make options-doc` from lua/qqmail/options.lua. -->

For `qqmail.new` and `qqmail.config`; nested ones are given as tables
(`timeout = { connect = 5 }`). Options win over the environment, that over `.env`
files, these over the preset of the provider, and that over the default. In a
`.env` file the names are those of the variables; `.env.<name>.local`,
`.env.<name>`, `.env.local` and `.env` are read in this order of precedence, where
`<name>` is the value of `QQMAIL_ENV`. Instead of `QQMAIL_PASSWORD` there may be
`QQMAIL_PASSWORD_FILE`, the name of a file that holds it.

]],
  },
  {
    path = "docs/options.zh-CN.md", lang = "zh", head = [[
# 选项

<!-- 由 `make options-doc` 根据 lua/qqmail/options.lua 生成。 -->

用于 `qqmail.new` 和 `qqmail.config`；带点的选项以表的形式给出（`timeout = { connect = 5 }`）。
选项优先于环境变量，其次是 `.env` 文件、服务商预设、默认值。`.env` 文件中使用环境变量的名字；
按 `.env.<名称>.local`、`.env.<名称>`、`.env.local`、`.env` 的优先顺序读取，`<名称>` 是
`QQMAIL_ENV` 的值。可以用 `QQMAIL_PASSWORD_FILE`（存放密码的文件名）代替 `QQMAIL_PASSWORD`。

]],
  },
}

for _, page in ipairs(PAGES) do
  page.text = page.head .. config.reference(page.lang)
end

made_pages("options_doc", "options-doc", PAGES)
