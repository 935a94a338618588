-- A child process of message_memory_spec.lua: builds a message, reads it all in
-- slices of 64 KiB and prints "size=<bytes> read=<bytes> before=<KiB> peak=<KiB>".
--
-- usage: big_message.lua file PATH | string MEGABYTES | collected MEGABYTES |
--   reader MEGABYTES | signed PATH
--
-- `signed` is `file` with two signatures, `collected` is `string` with the slices given
-- up at once: what remains is what the message itself holds.

local message = require "qqmail.message"

local kind, value = arg[1], arg[2]

local function memory(name)
  for line in io.lines("/proc/self/status") do
    local kilobytes = line:match("^" .. name .. ":%s*(%d+)")
    if kilobytes then
      return tonumber(kilobytes)
    end
  end
end

-- Forgets the peak so far (proc(5), clear_refs).
local function reset_peak()
  local file = assert(io.open("/proc/self/clear_refs", "w"))
  assert(file:write("5\n"))
  assert(file:close())
end

local attachment = { name = "big.bin" }
if kind == "file" or kind == "signed" then
  attachment.path = value
elseif kind == "string" or kind == "collected" then
  attachment.data = ("x"):rep(tonumber(value) * 1024 * 1024)
else
  local piece, left = ("x"):rep(65536), tonumber(value) * 16
  attachment.size = left * 65536
  attachment.read = function()
    left = left - 1
    return left >= 0 and piece or nil
  end
end
collectgarbage()
collectgarbage()
reset_peak()
local before = memory("VmRSS")

local built = assert(message.new({ from = "a@example.com", to = "b@example.com", subject = "s",
  text = "body\n", attachments = { attachment } }))
if kind == "signed" then
  local samples = require "spec.support.dkim_samples"
  local settings = samples.mailer({ samples.rsa({ canonicalization = "simple/simple" }),
    samples.ed25519() }).settings
  built = assert(require("qqmail.dkim").signer(settings, {})(built))
end
local total = 0
for chunk in built:chunks(65536) do
  total = total + #chunk
  if kind == "collected" then
    chunk = nil -- luacheck: ignore
    collectgarbage()
  end
end

print(("size=%.0f read=%.0f before=%d peak=%d"):format(built:size(), total, before,
  memory("VmHWM")))
