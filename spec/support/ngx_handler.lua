--- Runs inside nginx: takes a job of spec/support/send_work.lua from the body of
-- the request and answers its results; or `code`, a chunk that gets `argument`
-- and this module, and answers what the chunk returns.
local wire = require("qqmail.testing.wire")
local work = require("spec.support.send_work")

local M = {}

local ngx = rawget(_G, "ngx")

local function read_body()
  ngx.req.read_body()
  local body, path = ngx.req.get_body_data(), ngx.req.get_body_file()
  if path then
    local file = assert(io.open(path, "rb"))
    body = file:read("*a")
    file:close()
  end
  return body
end

-- Each in a light thread.
local function together(bodies)
  local threads = {}
  for i, body in ipairs(bodies) do
    threads[i] = ngx.thread.spawn(body)
  end
  for _, thread in ipairs(threads) do
    local ok, why = ngx.thread.wait(thread)
    if not ok then
      error(why, 0)
    end
  end
end

M.together = together

--- Sends one message with a mailer: `{ receipt= }` or `{ err= }`, plain data.
M.send = work.send

local function run_code(job)
  local chunk, why = load(job.code, "=chunk")
  if not chunk then
    error(why, 0)
  end
  return { value = chunk(M, job.argument) }
end

--- The content handler.
function M.answer()
  local job = wire.decode(read_body())
  ngx.print(wire.encode(job.code and run_code(job) or work.run(job, together)))
end

return M
