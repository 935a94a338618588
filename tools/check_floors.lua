-- check_floors.lua [ROOT]: the house rules that a compiler does not know.
--
-- Which floor may include which, which headers and functions are out, how
-- wide a line and how long a file may be. Prints `file:line: what` for each
-- offence; exit status 1 when there is one.

local root = arg[1] or "."

local MAX_COLUMNS = 80
local MAX_LINES = 600

-- The catalogue of errors is data, a row after the other: in one file a reader finds
-- every code and every rule, and their order is plain to see.
local AS_LONG_AS_IT_MUST = { ["lua/qqmail/catalogue.lua"] = true }

-- The floors that a folder of csrc/ may include besides itself.
local ALLOWED = {
  base = {},
  codec = { "base" },
  mime = { "base", "codec" },
  smtp = { "base", "codec" },
  tls = { "base", "codec" },
  crypto = { "base", "codec" },
  net = { "base", "codec" },
  disk = { "base", "codec" },
  lua = { "base", "codec", "mime", "smtp", "tls", "crypto", "net", "disk" },
}

-- Headers that belong to certain floors (by Lua pattern), or to none.
local HEADERS = {
  { "^lua%.h$", "lua" },
  { "^lauxlib%.h$", "lua" },
  { "^lualib%.h$", "lua" },
  { "^luajit%.h$", "lua" },
  { "^openssl/", "tls crypto" },
  { "^sys/socket%.h$", "net" },
  { "^sys/un%.h$", "net" },
  { "^netinet/", "net" },
  { "^arpa/", "net tls" }, -- tls: inet_pton(), inet_ntop(), which are about text
  { "^netdb%.h$", "net" },
  { "^poll%.h$", "net" },
  { "^sys/poll%.h$", "net" },
  { "^sys/select%.h$", "net" },
  { "^sys/epoll%.h$", "net" },
  { "^dirent%.h$", "disk" },
  { "^sys/file%.h$", "disk" },
  { "^ctype%.h$", "" },
  { "^locale%.h$", "" },
  { "^wctype%.h$", "" },
  { "^alloca%.h$", "" },
  { "^setjmp%.h$", "" },
}

local BANNED = {}
for name in ([[
  strtok strtok_r atoi atol atof sprintf vsprintf strcpy strncpy strcat strncat stpcpy gets
  gmtime localtime asctime ctime mktime alloca abort exit _exit setlocale gethostbyname
  isalpha isdigit isalnum isspace isupper islower isprint iscntrl ispunct isxdigit toupper tolower
  strcasecmp strncasecmp system popen
]]):gmatch("%S+") do
  BANNED[name] = true
end

-- Heap functions: only base/qm_mem.c may call them.
local HEAP = { malloc = true, calloc = true, realloc = true, free = true, strdup = true,
  strndup = true }

local offences = 0

local function report(path, line, text)
  offences = offences + 1
  print(("%s:%d: %s"):format(path, line, text))
end

local function has_word(list, word)
  return (" " .. list .. " "):find(" " .. word .. " ", 1, true) ~= nil
end

local function list_files(folder, pattern)
  local out = {}
  local pipe = assert(io.popen(("cd '%s' && find %s -type f -name '%s' 2>/dev/null | sort")
    :format(root, folder, pattern)))
  for path in pipe:lines() do
    out[#out + 1] = path
  end
  pipe:close()
  return out
end

local function read_lines(path)
  local lines = {}
  for line in io.lines(root .. "/" .. path) do
    lines[#lines + 1] = line
  end
  return lines
end

-- Comments, strings and characters as blanks, so that words in them do not
-- count. `state.comment` carries an open block comment to the next line.
local function strip(line, state)
  local out, i = {}, 1
  while i <= #line do
    if state.comment then
      local stop = line:find("*/", i, true)
      if not stop then
        break
      end
      state.comment, i = false, stop + 2
    elseif line:sub(i, i + 1) == "/*" then
      state.comment, i = true, i + 2
    elseif line:sub(i, i + 1) == "//" then
      break
    elseif line:find('^["\']', i) then
      local quote = line:sub(i, i)
      i = i + 1
      while i <= #line and line:sub(i, i) ~= quote do
        i = i + (line:sub(i, i) == "\\" and 2 or 1)
      end
      i = i + 1
      out[#out + 1] = quote .. quote
    else
      out[#out + 1] = line:sub(i, i)
      i = i + 1
    end
  end
  return table.concat(out)
end

-- Characters, not bytes: a comment may hold UTF-8.
local function columns(line)
  return select(2, line:gsub("[^\128-\191]", ""))
end

local function check_shape(path, lines, max_columns)
  for number, line in ipairs(lines) do
    if columns(line) > max_columns then
      report(path, number, ("%d columns, %d allowed"):format(columns(line), max_columns))
    end
    if line:find("%s$") then
      report(path, number, "white space at the end of the line")
    end
  end
  if #lines > MAX_LINES and not AS_LONG_AS_IT_MUST[path] then
    report(path, #lines, ("%d lines, %d allowed"):format(#lines, MAX_LINES))
  end
end

local function check_quoted(path, number, floor, target)
  local folder = target:match("^([%w_]+)/[%w_]+%.h$")
  if not folder then
    report(path, number, ('"%s" does not begin with its floor'):format(target))
  elseif not ALLOWED[folder] then
    report(path, number, ('"%s": there is no floor "%s"'):format(target, folder))
  elseif folder ~= floor and not has_word(table.concat(ALLOWED[floor], " "), folder) then
    report(path, number, ("floor %s must not include floor %s"):format(floor, folder))
  end
end

local function check_angled(path, number, floor, target)
  for _, rule in ipairs(HEADERS) do
    if target:find(rule[1]) and not has_word(rule[2], floor) then
      report(path, number, ("<%s> is not for floor %s"):format(target, floor))
    end
  end
end

local function check_words(path, number, code)
  for before, name in code:gmatch("([%.>]?)%f[%w_]([%a_][%w_]*)%s*%(") do
    if before == "" and BANNED[name] then
      report(path, number, name .. "() is banned")
    elseif before == "" and HEAP[name] and path ~= "csrc/base/qm_mem.c" then
      report(path, number, name .. "(): the heap is reached through base/qm_mem.h")
    end
  end
  if code:find("^%s*typedef%s+struct") then
    report(path, number, "no typedef of structs")
  end
end

local function check_c(path)
  local floor = path:match("^csrc/([%w_]+)/")
  local lines = read_lines(path)
  check_shape(path, lines, MAX_COLUMNS)
  if not floor or not ALLOWED[floor] then
    report(path, 1, "not on a floor")
    return
  end
  local state = { comment = false }
  for number, line in ipairs(lines) do
    local quoted = line:match('^%s*#%s*include%s*"([^"]*)"')
    local angled = line:match("^%s*#%s*include%s*<([^>]*)>")
    if quoted then
      check_quoted(path, number, floor, quoted)
    elseif angled then
      check_angled(path, number, floor, angled)
    end
    check_words(path, number, strip(line, state))
  end
end

local count = 0
for _, pattern in ipairs { "*.c", "*.h" } do
  for _, path in ipairs(list_files("csrc", pattern)) do
    check_c(path)
    count = count + 1
  end
  for _, path in ipairs(list_files("spec/c", pattern)) do
    check_shape(path, read_lines(path), MAX_COLUMNS)
    count = count + 1
  end
end
for _, folder in ipairs { "lua", "tools", "examples", "spec" } do
  for _, path in ipairs(list_files(folder, "*.lua")) do
    check_shape(path, read_lines(path), 100)
    count = count + 1
  end
end

print(("check_floors: %d files, %d offences"):format(count, offences))
os.exit(offences == 0 and count > 0 and 0 or 1)
