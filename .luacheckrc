-- The library runs on Lua 5.1 to 5.4 and LuaJIT: only what all of them have.
std = "min"
codes = true
max_line_length = 100
cache = false
include_files = {
  "lua/**/*.lua", "spec/**/*.lua", "tools/*.lua", "examples/**/*.lua", "types/*.lua",
  "bench/**/*.lua",
  "bin/qqmail", "rockspec/*.rockspec", ".luacheckrc", ".busted", "config.ld",
}
files["spec"] = { std = "max+busted" }
files["tools"] = { std = "max" }
files["bin"] = { std = "max" }
files["examples"] = { std = "max" }
files["types"] = { ignore = { "2", "6" } }
files["rockspec"] = { std = "+rockspec" }
files["config.ld"] = { std = "+ldoc" }
files[".busted"] = { std = "max" }
files["bench/nginx"] = { std = "ngx_lua" }
files["lua/qqmail/io/ngx.lua"] = { std = "+ngx_lua" }
files["lua/qqmail/outbox/worker.lua"] = { std = "+ngx_lua" }
files["bench/nginx"] = { std = "max+ngx_lua" }
files["examples/openresty"] = { std = "max+ngx_lua" }
