--- The steps of a check that lead to the server: its name, its addresses, its ports.
-- @module qqmail.doctor.network

local addresses = require("qqmail.doctor.addresses")
local failure = require("qqmail.failure")
local providers = require("qqmail.providers")
local reasons = require("qqmail.io.reasons")

local M = {}

-- Seconds for one address, and for a port beside the chosen one.
local ADDRESS_WAIT, NEIGHBOUR_WAIT = 5, 2

--- Ports on which mail is handed in, and how they speak.
M.PORTS = { { 465, "implicit" }, { 587, "starttls" }, { 25, "starttls" } }

--- What to do about a proxy that makes addresses up.
M.FAKE_HINT = {
  en = "A proxy (Clash, mihomo, sing-box, Surge) answers names with made-up addresses, and often "
    .. "does not let mail through: give the host a DIRECT rule, put it into the fake-ip-filter, "
    .. "or switch the proxy's TUN mode off.",
  zh = "代理软件（Clash、mihomo、sing-box、Surge 等）用 fake-ip 应答域名，往往并不转发邮件："
    .. "请为该域名添加直连（DIRECT）规则，或加入 fake-ip-filter，或关闭代理的 TUN 模式。",
}

-- What to do about a name of a provider that leads to a private network.
local PRIVATE_HINT = {
  en = "Look into /etc/hosts, and ask another name server: a VPN, a router or a proxy answers for "
    .. "the name.",
  zh = "请检查 /etc/hosts，并换用其他 DNS 服务器查询：可能是 VPN、路由器或代理在替它应答。",
}

-- What becomes of it is noted for the transcript, as for a mail.
local function target_of(self, port)
  local settings, driver, trace = self.settings, self.driver, self.facts.trace
  return { host = settings.host, port = port or settings.port, socket = settings.socket,
    source_ip = settings.source_ip, note = function(text)
      trace[#trace + 1] = { t = driver:now() - self.facts.began, dir = "*", line = text }
    end }
end

-- An address to send from that this machine does not have, or of the other family, looks
-- like a name or a network that is broken.
local SOURCE_HINT = {
  en = "source_ip is set to %s: it must be an address of this very machine, and of the family "
    .. "(IPv4 or IPv6) of the server's. Correct it, or leave it out.",
  zh = "source_ip 设为了 %s：它必须是本机拥有的地址，且与服务器地址同为 IPv4 或 IPv6。请改正或去掉该选项。",
}

local function source_hint(settings)
  local ip = settings.source_ip
  return { en = SOURCE_HINT.en:format(ip), zh = SOURCE_HINT.zh:format(ip) }
end

-- --- dns ------------------------------------------------------------------------

local function is_literal(host)
  return host:find(":", 1, true) ~= nil or host:find("^%d+%.%d+%.%d+%.%d+$") ~= nil
end

-- Names of providers are public ones.
local function is_public_name(settings)
  return providers.by_host(settings.host) ~= nil
end

local function notes_on(self, list)
  local notes, is_public = {}, is_public_name(self.settings)
  for _, item in ipairs(list) do
    local address = item.address
    if addresses.is_fake(address) then
      self.facts.fake_ip = address
      notes[#notes + 1] = { status = "warning", code = "check.fake_ip", hint = M.FAKE_HINT, text = {
        en = address .. " is no address of the server: it is a fake-ip of a local proxy",
        zh = address .. " 不是服务器的地址，而是本机代理软件的 fake-ip",
      } }
    elseif is_public and addresses.is_private(address) then
      self.facts.is_diverted = true
      notes[#notes + 1] = { status = "warning", code = "check.private_address", text = {
        en = address .. " is a private address, which a public server does not have",
        zh = address .. " 是内网地址，公网服务器不会使用",
      }, hint = PRIVATE_HINT }
    end
  end
  return notes
end

local function join(list)
  local out = {}
  for index, item in ipairs(list) do
    out[index] = item.address
  end
  return table.concat(out, ", "), out
end

--- Look the server's name up.
-- @treturn boolean false: failed
function M.dns(self)
  local settings, driver = self.settings, self.driver
  local began = driver:now()
  self.facts.began, self.facts.trace = began, {}
  local list, why = driver:lookup(target_of(self),
    math.min(self.deadline, began + settings.timeout.connect))
  local seconds = driver:now() - began
  if not list then
    local err = failure.connect(why, { settings = settings, trace = self.facts.trace })
    local is_family = settings.source_ip and is_literal(settings.host) and why.phase == "resolve"
    self:fail(why.phase == "resolve" and "dns" or "connect", err, { seconds = seconds,
      hint = is_family and source_hint(settings) or nil })
    return false
  end
  self.facts.addresses = list
  if settings.socket then
    return true
  end
  local text, names = join(list)
  local line = settings.host .. " → " .. text
  if is_literal(settings.host) then
    line = { en = text .. " is an address, there is nothing to look up",
      zh = text .. " 本身就是地址，无需解析" }
  end
  self:add({ name = "dns", seconds = seconds, text = line, notes = notes_on(self, list),
    details = { addresses = names } })
  return true
end

-- --- connect ----------------------------------------------------------------------

-- One try of one address at one port, as a function for `driver:all`.
local function try(self, job)
  local driver, address = self.driver, {}
  for key, value in pairs(job.address) do
    address[key] = value
  end
  address.port = job.port
  return function()
    local began = driver:now()
    local conn, why = driver:dial(target_of(self, job.port), address,
      math.min(self.deadline, began + job.wait))
    job.seconds, job.why, job.ok = driver:now() - began, why, conn ~= nil
    if conn then
      conn:close()
    end
  end
end

local function run(self, jobs)
  local functions = {}
  for index, job in ipairs(jobs) do
    functions[index] = try(self, job)
  end
  self.driver:all(functions)
end

local function chosen_jobs(self)
  local wait = math.min(ADDRESS_WAIT, self.settings.timeout.connect)
  local jobs = {}
  for index, address in ipairs(self.facts.addresses) do
    jobs[index] = { address = address, port = self.settings.port, wait = wait, is_chosen = true }
  end
  return jobs
end

-- The other ports at the first address of each family.
local function neighbour_jobs(self, jobs)
  local settings, seen = self.settings, {}
  if settings.socket then
    return jobs
  end
  local wait = math.min(NEIGHBOUR_WAIT, settings.timeout.connect)
  for _, address in ipairs(self.facts.addresses) do
    for _, pair in ipairs(seen[address.family] and {} or M.PORTS) do
      if pair[1] ~= settings.port then
        jobs[#jobs + 1] = { address = address, port = pair[1], wait = wait }
      end
    end
    seen[address.family] = true
  end
  return jobs
end

local function split(jobs)
  local good, bad, open = {}, {}, {}
  for _, job in ipairs(jobs) do
    if not job.is_chosen then
      open[job.port] = open[job.port] or job.ok or nil
    elseif job.ok then
      good[#good + 1] = job
    else
      bad[#bad + 1] = job
    end
  end
  return good, bad, open
end

local REASON_TEXTS = {
  timeout = { en = "no answer", zh = "无应答" }, refused = { en = "refused", zh = "拒绝连接" },
  unreachable = { en = "no route", zh = "没有路由" },
  denied = { en = "forbidden by this machine", zh = "被本机策略禁止" },
}

local function address_text(job, lang)
  local reason = job.ok and (lang == "zh" and "已连接" or "connected")
    or (REASON_TEXTS[job.why.reason] and REASON_TEXTS[job.why.reason][lang]) or job.why.text
  return (lang == "zh" and "%s：%s，%.2f 秒" or "%s: %s, %.2f s")
    :format(job.address.address or job.address.path, reason, job.seconds)
end

local function has_family(list, family)
  for _, job in ipairs(list) do
    if job.address.family == family then
      return true
    end
  end
  return false
end

local IPV6_HINT = {
  en = 'Mend the IPv6 route or switch IPv6 off; or set source_ip = "0.0.0.0", which uses IPv4 '
    .. "alone.",
  zh = '请修复 IPv6 路由或关闭 IPv6；也可设 source_ip = "0.0.0.0"，只使用 IPv4。',
}

local function hole_note(job)
  return { status = "warning", code = "check.ipv6_dead", hint = IPV6_HINT, text = {
    en = address_text(job, "en") .. ". IPv6 leads nowhere here, IPv4 works; every connection "
      .. "waits for it first",
    zh = address_text(job, "zh") .. "。本机 IPv6 不通，IPv4 正常；每次连接都要先在它上面等待",
  } }
end

-- A dead address beside a good one costs time at each connection, unless it is known at
-- once that no way leads there.
local function dead_note(job, good)
  local is_ipv6 = job.address.family == "inet6" and has_family(good, "inet")
  if is_ipv6 and job.why.reason == "timeout" then
    return hole_note(job)
  end
  local is_harmless = is_ipv6 and job.why.reason == "unreachable"
  return { status = is_harmless and "ok" or "warning",
    code = not is_harmless and "check.dead_address" or nil,
    text = { en = address_text(job, "en"), zh = address_text(job, "zh") } }
end

local function notes_of(good, bad)
  local notes = {}
  for _, job in ipairs(good) do
    notes[#notes + 1] = { text = { en = address_text(job, "en"), zh = address_text(job, "zh") } }
  end
  for _, job in ipairs(bad) do
    notes[#notes + 1] = #good > 0 and dead_note(job, good)
      or { text = { en = address_text(job, "en"), zh = address_text(job, "zh") } }
  end
  return notes
end

local function details_of(jobs)
  local tried, ports = {}, {}
  for _, job in ipairs(jobs) do
    local item = { address = job.address.address or job.address.path, port = job.port,
      ok = job.ok, seconds = job.seconds, reason = job.why and job.why.reason }
    if job.is_chosen then
      tried[#tried + 1] = item
    else
      ports[#ports + 1] = item
    end
  end
  return { addresses = tried, ports = ports }
end

-- "465 and 587" of the ports beside that answer.
local function open_ports(open)
  local out = {}
  for _, pair in ipairs(M.PORTS) do
    if open[pair[1]] then
      out[#out + 1] = pair
    end
  end
  return out
end

local function setting(pair)
  return ("port = %d, tls = \"%s\""):format(pair[1], pair[2])
end

-- Whether every port that was asked, of every public address, is silent. What is silent
-- inside a private network seldom is so for a firewall on the way out.
local function is_all_silent(jobs)
  for _, job in ipairs(jobs) do
    local is_far = job.address.address and not addresses.is_private(job.address.address)
    if not is_far or job.ok or job.why.reason ~= "timeout" then
      return false
    end
  end
  return true
end

-- "465, 587 and 25": the ports that were asked.
local function asked_ports(jobs, comma, last)
  local out, seen = {}, {}
  for _, job in ipairs(jobs) do
    if not seen[job.port] then
      seen[job.port], out[#out + 1] = true, ("%d"):format(job.port)
    end
  end
  return table.concat(out, comma, 1, #out - 1) .. last .. out[#out]
end

local function is_source_wrong(self, jobs)
  local first = jobs[1].why
  return self.settings.source_ip and first and first.errno == "EADDRNOTAVAIL"
end

-- The failing port beside what the others do.
local function connect_hint(self, jobs, open)
  local others = open_ports(open)
  if is_source_wrong(self, jobs) then
    return source_hint(self.settings)
  elseif self.facts.fake_ip then
    return M.FAKE_HINT
  elseif others[1] and others[1][1] ~= 25 then
    return {
      en = ("Port %d of the same server answers: set %s."):format(others[1][1], setting(others[1])),
      zh = ("同一服务器的 %d 端口可以连接：请设 %s。"):format(others[1][1], setting(others[1])),
    }
  elseif self.facts.is_diverted then
    return PRIVATE_HINT
  elseif is_all_silent(jobs) then
    return {
      en = ("Ports %s are all silent: a firewall, security group or cloud provider drops the "
        .. "packets on their way out. Open 465 or 587 for outgoing traffic.")
        :format(asked_ports(jobs, ", ", " and ")),
      zh = ("%s 端口都没有应答：出站数据包被防火墙、安全组或云厂商丢弃。"
        .. "请放行出站 465 或 587 端口。"):format(asked_ports(jobs, "、", "、")),
    }
  end
  return nil
end

local function tried_of(bad)
  local out = {}
  for index, job in ipairs(bad) do
    out[index] = job.why
  end
  return out
end

local function fail(self, jobs, bad, open, seconds)
  local why = reasons.connect_failure(target_of(self), tried_of(bad))
  local err = failure.connect(why, { settings = self.settings, trace = self.facts.trace })
  self:fail("connect", err, { seconds = seconds, notes = notes_of({}, bad),
    details = details_of(jobs), hint = connect_hint(self, jobs, open) })
  return false
end

-- Beside a port that answers, what the others do matters only where something is odd;
-- a driver that does one thing at a time asks them when the chosen one is silent.
local function ask(self)
  local jobs = chosen_jobs(self)
  if self.driver:width(2) > 1 then
    neighbour_jobs(self, jobs)
    run(self, jobs)
    return jobs
  end
  run(self, jobs)
  if #split(jobs) == 0 then
    local more = neighbour_jobs(self, {})
    run(self, more)
    for _, job in ipairs(more) do
      jobs[#jobs + 1] = job
    end
  end
  return jobs
end

--- Connect to every address.
-- @treturn boolean false: none answers
function M.connect(self)
  local began = self.driver:now()
  local jobs = ask(self)
  local seconds = self.driver:now() - began
  local good, bad, open = split(jobs)
  self.facts.open = open
  if #good == 0 then
    return fail(self, jobs, bad, open, seconds)
  end
  self.facts.good = good[1].address
  local total = #good + #bad
  self:add({ name = "connect", seconds = seconds, notes = notes_of(good, bad),
    details = details_of(jobs), text = {
      en = self.settings.socket and "the socket answers"
        or ("%d of %d addresses answer at port %d"):format(#good, total, self.settings.port),
      zh = self.settings.socket and "套接字可连接"
        or ("%d 个地址中有 %d 个可连接 %d 端口"):format(total, #good, self.settings.port),
    } })
  return true
end

return M
