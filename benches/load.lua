-- One load for wrk: requests that differ in a number alone, every answer counted by its status.
--
-- Arguments: the method, the path, the body, then how the numbers go: "random" or "each", the first that was never used,
-- the one after the last, and how many digits they have; last the number of threads. In the path, the body and the header
-- fields "{}" stands for the number, and "[]" for one of 12 digits that is never used again.

local threads = {}

-- The threads before this one are at work already, so nothing of theirs may be touched here.
function setup(thread)
  thread:set("index", #threads)
  table.insert(threads, thread)
end

function init(args)
  order, first, past, statuses, used, exhausted = args[4], tonumber(args[5]), tonumber(args[6]), {}, 0, false
  stride = tonumber(args[8])
  digits = "%0" .. args[7] .. "d"
  math.randomseed(first + index + 1)
  -- As long as a number, so that wrk counts the right content-length.
  local number, fresh = string.rep("#", tonumber(args[7])), string.rep("~", 12)
  local fill = function(text) return (text:gsub("{}", number):gsub("%[%]", fresh)) end
  for name, value in pairs(wrk.headers) do
    wrk.headers[name] = fill(value)
  end
  local body = args[3] ~= "" and fill(args[3]) or nil
  local request = wrk.format(args[1], fill(args[2]), wrk.headers, body)
  template, places = request:gsub("%%", "%%%%"), {}
  template = template:gsub("[#~]+", function(place) table.insert(places, place:sub(1, 1)) return "%s" end)
end

function request()
  local fresh = first + index + used * stride
  local number = fresh
  used = used + 1
  if order == "random" then
    number = math.random(0, past - 1)
  elseif number >= past then
    -- There is no request left that is a new one.
    exhausted = true
    wrk.thread:stop()
    number = past - 1
  end
  number, fresh = string.format(digits, number), string.format("%012d", fresh)
  local fill = function(place) return places[place] == "~" and fresh or number end
  return string.format(template, fill(1), fill(2), fill(3))
end

function response(status)
  statuses[status] = (statuses[status] or 0) + 1
end

function done(summary, latency)
  local counts, most, ran_out, separator = {}, 0, false, ""
  for _, thread in ipairs(threads) do
    for status, count in pairs(thread:get("statuses")) do
      counts[status] = (counts[status] or 0) + count
    end
    most = math.max(most, thread:get("used"))
    ran_out = ran_out or thread:get("exhausted")
  end
  io.write("\n{\"statuses\":{")
  for status, count in pairs(counts) do
    io.write(string.format("%s\"%d\":%d", separator, status, count))
    separator = ","
  end
  local errors = summary.errors
  io.write(string.format(
    "},\"broken\":%d,\"timeouts\":%d,\"requests\":%d,\"microseconds\":%d,\"used\":%d,\"exhausted\":%s," ..
      "\"p50\":%d,\"p99\":%d,\"p999\":%d}\n",
    errors.connect + errors.read + errors.write, errors.timeout, summary.requests, summary.duration,
    most * #threads, tostring(ran_out), latency:percentile(50), latency:percentile(99), latency:percentile(99.9)
  ))
end
