-- busted output handler: the plain dots and report, then one machine line,
-- "N passed, N failed, N skipped", that tools/tally.sh adds up. Errors outside
-- a test (a file that does not load, a teardown that raises) count as failed.
return function(options)
  local busted = require "busted"
  local handler = require "busted.outputHandlers.plainTerminal"(options)

  busted.subscribe({ "exit" }, function()
    io.stdout:write(("%d passed, %d failed, %d skipped\n"):format(handler.successesCount,
      handler.failuresCount + handler.errorsCount, handler.pendingsCount))
    io.stdout:flush()
    return nil, true
  end)

  return handler
end
