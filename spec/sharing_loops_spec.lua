-- One mailer in many coroutines of an event loop at once.
local echo = require("spec.support.echo")
local loops = require("spec.support.loops")
local send = require("spec.support.send")

local unpack = unpack or table.unpack

-- The third loop is given as a pair of functions and knows no more than that.
local LOOPS = {
  cqueues = { missing = loops.cqueues.missing, io = "cqueues", run = loops.cqueues.run },
  luv = { missing = loops.luv.missing, io = "luv", run = loops.luv.run },
  functions = { io = send.LOOP_IO, run = send.in_loop },
}

describe("one mailer in many coroutines", function()
  after_each(send.stop)

  local function each_loop(text, sizes, body)
    for name, loop in pairs(LOOPS) do
      for _, max in ipairs(sizes) do
        it(("%s: %s, pool.max %d"):format(text, name, max), function()
          if loop.missing then
            pending(loop.missing)
            return
          end
          body(loop, max)
        end)
      end
    end
  end

  -- Coroutines that send, and what came back wrong to them.
  local function new_crowd(mailer)
    local self = { bodies = {}, names = {}, wrong = {}, finished = 0 }
    local function note(name, receipt, err)
      self.wrong[#self.wrong + 1] = echo.mismatch(name, receipt, err)
    end
    local function add(body)
      self.bodies[#self.bodies + 1] = function()
        body()
        self.finished = self.finished + 1
      end
    end
    local function names_of(name, count)
      local names = {}
      for i = 1, count do
        names[i] = name .. "-" .. i
        self.names[#self.names + 1] = names[i]
      end
      return names
    end
    function self.one_by_one(name, count)
      local names = names_of(name, count)
      add(function()
        for _, each in ipairs(names) do
          note(each, mailer:send(echo.message(each)))
        end
      end)
    end
    function self.together(name, count, options)
      local names, list = names_of(name, count), {}
      for i, each in ipairs(names) do
        list[i] = echo.message(each)
      end
      add(function()
        local summary = assert(mailer:send_all(list, send.merge({ progress = false,
          on_result = function(receipt, err, _, index)
            note(names[index], receipt, err)
          end }, options)))
        if summary.sent ~= count then
          self.wrong[#self.wrong + 1] = ("%s: %d of %d"):format(name, summary.sent, count)
        end
      end)
    end
    function self.run(loop)
      loop.run(unpack(self.bodies))
      assert.same({}, self.wrong)
      assert.equal(#self.bodies, self.finished)
    end
    return self
  end

  for _, mode in ipairs({ "plain", "implicit" }) do
    each_loop("gives each the reply to his own mail, " .. mode, { 1, 3 }, function(loop, max)
      local server = echo.server({ mode = mode, delay = { dot = 0.001 }, split_writes = 7 })
      local mailer = send.mailer(server, { io = loop.io, pool = { max = max } })
      local crowd = new_crowd(mailer)
      for i = 1, 5 do
        crowd.one_by_one("s" .. i, 6)
        crowd.together("a" .. i, 14)
      end
      crowd.run(loop)
      echo.check(server, crowd.names, max)
      loop.run(function() mailer:close() end)
    end)
  end

  each_loop("lets one mail in between those of a long list", { 1 }, function(loop, max)
    local server = echo.server({ delay = { dot = 0.001 } })
    local mailer = send.mailer(server, { io = loop.io, pool = { max = max } })
    local crowd, done, done_before = new_crowd(mailer), 0, nil
    crowd.together("a", 300, { on_progress = function(state)
      done = state.done
    end })
    crowd.one_by_one("between", 1)
    local between = table.remove(crowd.bodies)
    crowd.bodies[2] = function()
      between()
      done_before = #server:messages()
    end
    crowd.run(loop)
    assert.equal(300, done)
    assert.is_true(done_before < 150, done_before .. " of 300 came first")
    echo.check(server, crowd.names, max)
    loop.run(function() mailer:close() end)
  end)
end)
