--- What the certificates say, and whether this machine's clock or they are at fault.
-- @module qqmail.doctor.certificate

local M = {}

--- The day of the changelog's last version: no clock can be right that is before it.
M.RELEASED = 1795478400

-- Days before the end that are worth a warning.
local SOON = 14

-- A clock that is so far ahead of the library may be ahead of the world as well.
local FAR_AHEAD = 5 * 365 * 86400

-- Difference of two clocks that matters in a message's Date.
local SKEW = 300

local DAY = 86400

--- A day as people write it.
-- @tparam number seconds since 1970
-- @treturn string
function M.day(seconds)
  return os.date("!%Y-%m-%d", seconds)
end

local function moment(seconds)
  return os.date("!%Y-%m-%d %H:%M UTC", seconds)
end

-- Days between a civil date and 1970-01-01 (proleptic Gregorian calendar).
local function days_from_civil(year, month, day)
  year = month <= 2 and year - 1 or year
  local era = math.floor(year / 400)
  local of_era = year - era * 400
  local of_year = math.floor((153 * ((month + 9) % 12) + 2) / 5) + day - 1
  local days = of_era * 365 + math.floor(of_era / 4) - math.floor(of_era / 100) + of_year
  return era * 146097 + days - 719468
end

local MONTHS = { jan = 1, feb = 2, mar = 3, apr = 4, may = 5, jun = 6, jul = 7, aug = 8, sep = 9,
  oct = 10, nov = 11, dec = 12 }

--- The moment in a text that holds a date of RFC 5322, as greetings of sendmail do.
-- @tparam ?string text
-- @treturn ?number seconds since 1970
function M.date_in(text)
  local day, month, year, hour, minute, second, zone =
    (text or ""):match("(%d%d?) (%a%a%a) (%d%d%d%d) (%d%d):(%d%d):(%d%d) ([+-]%d%d%d%d)")
  month = month and MONTHS[month:lower()]
  if not month then
    return nil
  end
  local offset = tonumber(zone:sub(2, 3)) * 3600 + tonumber(zone:sub(4, 5)) * 60
  return days_from_civil(tonumber(year), month, tonumber(day)) * DAY + tonumber(hour) * 3600
    + tonumber(minute) * 60 + tonumber(second) - (zone:sub(1, 1) == "-" and -offset or offset)
end

-- -1: not valid yet, 1: no longer, 0: in between.
local function side_of(item, now)
  return now < (item.not_before or now) and -1 or (now > (item.not_after or now) and 1 or 0)
end

-- The certificate above the server's own that is outside its dates.
local function outside_above(info, now)
  for index, item in ipairs(info.chain or {}) do
    if index > 1 and side_of(item, now) ~= 0 then
      return item
    end
  end
end

-- How a date in the server's greeting stands to this machine's clock.
local function skew_of(server_time, now)
  if not server_time or math.abs(server_time - now) < SKEW then
    return nil
  end
  return now - server_time
end

--- Who is at fault when a certificate is outside its dates.
-- @tparam table info of the handshake: `not_before`, `not_after`, `chain`
-- @tparam number now what this machine's clock says
-- @tparam ?number server_time what the server's clock says
-- @treturn string "clock" (certainly or most likely), "certificate" or "either"
function M.blame(info, now, server_time)
  local own, above = side_of(info, now), outside_above(info, now)
  if now < M.RELEASED then
    return "clock"
  elseif server_time then
    -- By the server's clock the same may be wrong: then ours, though off, is not the cause.
    local is_good_there = side_of(info, server_time) == 0 and not outside_above(info, server_time)
    return is_good_there and "clock" or "certificate"
  elseif own < 0 or above and side_of(above, now) < 0 then
    return "clock"
  end
  -- A server that was left alone for years, or a clock that is years ahead.
  local is_all_over = own > 0 and above ~= nil
  return (is_all_over or now - M.RELEASED > FAR_AHEAD) and "either" or "certificate"
end

local BLAMED = {
  clock = {
    text = {
      en = "this machine's clock is off: it says %s, but the certificate is valid from %s to %s",
      zh = "本机时钟不准：本机时间为 %s，而证书有效期是 %s 至 %s",
    },
    hint = {
      en = "Set the clock (timedatectl set-ntp true, or chronyc makestep; of a container or "
        .. "virtual machine on its host), then try again. Do not switch verification off.",
      zh = "请校准本机时间（如 timedatectl set-ntp true 或 chronyc makestep；虚拟机、容器请校准宿主机）后重试。"
        .. "不要关闭证书校验。",
    },
  },
  certificate = {
    text = {
      en = "the server's certificate has expired: this machine's clock says %s, and the "
        .. "certificate was valid from %s to %s",
      zh = "服务器证书已过期：本机时间为 %s，证书有效期是 %s 至 %s",
    },
    hint = {
      en = "Only the owner of the server can renew it. See first that the name leads to the right "
        .. "server and no proxy or old mirror is in between. Do not switch verification off.",
      zh = "只有服务器的管理者能更新证书。请先确认域名指向正确的服务器、中间没有代理或旧镜像。不要关闭证书校验。",
    },
  },
  either = {
    text = {
      en = "by this machine's clock, which says %s, the certificate has expired: it was valid "
        .. "from %s to %s",
      zh = "按本机时间（%s），证书已过期：有效期是 %s 至 %s",
    },
    hint = {
      en = "Look at this machine's clock first (date; it may be ahead); when it is right, the "
        .. "owner of the server must renew the certificate.",
      zh = "请先用 date 检查本机时间是否偏快；若时间正确，则需服务器方更新证书。",
    },
  },
}

-- The server's own is valid, but it sends one above it that is not.
local ABOVE = {
  text = {
    en = "a certificate that the server sends above its own has expired: this machine's clock "
      .. "says %s, and it was valid from %s to %s",
    zh = "服务器证书链中的上级证书已过期：本机时间为 %s，该证书有效期是 %s 至 %s",
  },
  hint = {
    en = "The owner of the server must send the present chain of the issuer; on this side an old "
      .. "bundle of CA certificates may be the cause: update ca-certificates. Do not switch "
      .. "verification off.",
    zh = "服务器方需更换为签发者当前的证书链；也可能是本机 CA 证书过旧，请更新 ca-certificates。不要关闭证书校验。",
  },
}

--- The sentence and the remedy for a certificate outside its dates.
-- @tparam table info
-- @tparam number now
-- @tparam ?number server_time
-- @treturn ?table text; nil: the error says it best
-- @treturn table hint
-- @treturn string see `blame`
function M.judge(info, now, server_time)
  local who = M.blame(info, now, server_time)
  local row, clock = BLAMED[who], moment(now)
  if side_of(info, now) == 0 then
    row, info = who == "clock" and row or ABOVE, outside_above(info, now)
  end
  if not info then
    return nil, row.hint, who -- one that was not sent: the machine's own list has it
  end
  local from, till = M.day(info.not_before), M.day(info.not_after)
  local text = { en = row.text.en:format(clock, from, till),
    zh = row.text.zh:format(clock, from, till) }
  if who == "clock" and server_time then
    text.en = text.en .. ("; the server's clock says %s"):format(moment(server_time))
    text.zh = text.zh .. ("；服务器时间为 %s"):format(moment(server_time))
  end
  return text, row.hint, who
end

--- A warning when the greeting's date and this machine's clock do not agree.
-- @tparam ?number server_time
-- @tparam number now
-- @treturn ?table note
function M.skew_note(server_time, now)
  if not skew_of(server_time, now) then
    return nil
  end
  return { status = "warning", code = "check.clock_off", text = {
    en = ("this machine's clock says %s, the server's %s"):format(moment(now),
      moment(server_time)),
    zh = ("本机时间为 %s，服务器时间为 %s"):format(moment(now), moment(server_time)),
  }, hint = BLAMED.clock.hint }
end

--- A warning when the certificate ends soon.
-- @tparam table info
-- @tparam number now
-- @treturn ?table note
function M.soon_note(info, now)
  if not info.not_after or info.not_after - now > SOON * DAY then
    return nil
  end
  local days = math.floor((info.not_after - now) / DAY)
  return { status = "warning", code = "check.expires_soon", text = {
    en = ("the certificate ends in %d days (%s)"):format(days, M.day(info.not_after)),
    zh = ("证书将在 %d 天后到期（%s）"):format(days, M.day(info.not_after)),
  }, hint = { en = "Tell the owner of the server to renew it.", zh = "请通知服务器方更新证书。" } }
end

-- "CN=a, CN=b" by way of the chain.
local function issuers(info)
  local out = {}
  for index, item in ipairs(info.chain or {}) do
    out[index] = item.subject
  end
  return table.concat(out, " < ")
end

--- Lines about the certificate.
-- @tparam table info
-- @tparam number now
-- @treturn table list of notes
function M.notes(info, now)
  local notes = {}
  local function add(en, zh, value)
    if value and value ~= "" then
      notes[#notes + 1] = { text = { en = en .. value, zh = zh .. value } }
    end
  end
  add("for ", "名称：", table.concat(info.names or {}, ", "))
  add("issued by ", "签发者：", info.issuer)
  if info.chain and info.chain[2] then
    add("chain: ", "证书链：", issuers(info))
  end
  if info.not_after then
    local days = math.floor((info.not_after - now) / DAY)
    local span = M.day(info.not_before) .. " - " .. M.day(info.not_after)
    notes[#notes + 1] = { text = { en = ("valid %s, %d days left"):format(span, days),
      zh = ("有效期 %s，还剩 %d 天"):format(span, days) } }
  end
  return notes
end

--- The same for programs.
-- @tparam table info
-- @tparam number now
-- @treturn table
function M.details(info, now)
  return { version = info.version, cipher = info.cipher, verified = info.verified,
    subject = info.subject, issuer = info.issuer, names = info.names, chain = info.chain,
    not_before = info.not_before, not_after = info.not_after, provider = info.provider,
    days_left = info.not_after and math.floor((info.not_after - now) / DAY) or nil }
end

return M
