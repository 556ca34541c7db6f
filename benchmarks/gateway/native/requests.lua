-- For wrk: sends one request over and over, each with the next of some affinity ids in it.
--   wrk … -s requests.lua URL -- REQUEST FIRST_ID IDS
-- REQUEST is a file with one HTTP request, in which sixteen '@' stand for the id. Prints what was measured as JSON.
local before, after, first, ids
local number = 0

function init(words)
  local file = assert(io.open(words[1], "rb"))
  local text = file:read("*a")
  file:close()
  local at = text:find("@@@@@@@@@@@@@@@@", 1, true)
  before, after = text, nil
  if at then
    before, after = text:sub(1, at - 1), text:sub(at + 16)
  end
  first, ids = tonumber(words[2]), tonumber(words[3])
end

function request()
  if not after then
    return before
  end
  local id = first + number % ids
  number = number + 1
  return before .. string.format("%08x%08x", math.floor(id / 4294967296), id % 4294967296) .. after
end

function done(summary, latency, _)
  local errors = summary.errors
  io.write(string.format(
    '\n{"requests": %d, "errors": %d, "seconds": %.6f, "p50": %.1f, "p90": %.1f, "p99": %.1f, "max": %.1f}\n',
    summary.requests, errors.connect + errors.read + errors.write + errors.status + errors.timeout,
    summary.duration / 1e6, latency:percentile(50), latency:percentile(90), latency:percentile(99), latency.max))
end
