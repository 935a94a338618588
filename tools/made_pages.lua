-- Pages of docs/ that are made from tables of the library. Loaded by the tools that
-- make them.

local function read(path)
  local file = io.open(path, "rb")
  local text = file and file:read("*a")
  if file then
    file:close()
  end
  return text
end

local function write(path, text)
  local file = assert(io.open(path, "wb"))
  assert(file:write(text))
  assert(file:close())
end

-- With --write the pages are written, without it they are compared; ends the program,
-- with 1 when one is out of date. `pages`: list of `{ path =, text = }`.
return function(tool, target, pages)
  local bad = 0
  for _, page in ipairs(pages) do
    if arg[1] == "--write" then
      write(page.path, page.text)
      print(tool .. ": wrote " .. page.path)
    elseif read(page.path) ~= page.text then
      print(("%s: %s is out of date: make %s"):format(tool, page.path, target))
      bad = 1
    end
  end
  os.exit(bad)
end
