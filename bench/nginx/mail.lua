--- The location /mail: each request sends one mail and waits for its verdict, as
-- a web application would. 200 when it was taken, else 502 and the reason.
--
-- The query: `client` ("qqmail", "blocking" or "bare"), `connection` ("kept" or
-- "new"), `tls` ("implicit" or "none"), `port` of the sink on 127.0.0.1, and
-- `attach`, the path of a file.

local M = {}

local CLIENTS = { qqmail = "qqmail_client", blocking = "qqmail_client", bare = "bare_client" }

-- One client for each query, for as long as the worker lives: what a client
-- keeps from one mail to the next is part of what is measured.
local clients = {}

local function client_for(key, query)
  local client = clients[key]
  if not client then
    query.prefix = ngx.config.prefix()
    client = require(CLIENTS[query.client]).new(query)
    clients[key] = client
  end
  return client
end

-- With its length: the probe reads nothing else.
local function answer(status, text)
  text = text .. "\n"
  ngx.status = status
  ngx.header.content_length = #text
  ngx.print(text)
end

function M.handle()
  local query = ngx.req.get_uri_args(10)
  local ok, err = client_for(ngx.var.args, query):send()
  if ok then
    return answer(200, "sent")
  end
  answer(502, tostring(err))
end

return M
