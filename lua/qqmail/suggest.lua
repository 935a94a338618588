--- "Did you mean ...?"
-- @module qqmail.suggest

local M = {}

-- Longer words are not option names with a slip in them; the cap also bounds
-- the work, which is the product of the lengths.
local LONGEST = 40

local function plain(word)
  return (word:lower():gsub("%-", "_"))
end

-- Edit distance in which swapping two neighbours counts as one slip.
local function distance(a, b)
  local before, last, row = {}, {}, {}
  for j = 0, #b do
    last[j] = j
  end
  for i = 1, #a do
    row[0] = i
    for j = 1, #b do
      local same = a:byte(i) == b:byte(j)
      local best = math.min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (same and 0 or 1))
      if i > 1 and j > 1 and a:byte(i) == b:byte(j - 1) and a:byte(i - 1) == b:byte(j) then
        best = math.min(best, before[j - 2] + 1)
      end
      row[j] = best
    end
    before, last, row = last, row, before
  end
  return last[#b]
end

--- The word of a list that was most likely meant.
-- @param word what was written; anything but a string gives nil
-- @tparam table list the words that exist; of equally near ones the first wins
-- @treturn ?string
function M.closest(word, list)
  if type(word) ~= "string" or word == "" or #word > LONGEST then
    return nil
  end
  local wanted = plain(word)
  local best, best_distance
  for _, candidate in ipairs(list) do
    local far = distance(wanted, plain(candidate))
    local allowed = math.max(1, math.floor(math.max(#wanted, #candidate) / 3))
    if far <= allowed and (not best or far < best_distance) then
      best, best_distance = candidate, far
    end
  end
  return best
end

return M
