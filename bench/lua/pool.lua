-- One request per line of POOL, in turn: {t} in path, headers and body stands for the line.
-- PATH, METHOD, BODY and HEADERS ("Name: value|Name: value") come from the environment.
local requests, at = {}, 0
local function env(name, default)
  local value = os.getenv(name)
  if value == nil or value == "" then return default end
  return value
end

function init()
  local lines = { "" }
  if env("POOL") then
    lines = {}
    for line in io.lines(env("POOL")) do lines[#lines + 1] = line end
  end
  for _, line in ipairs(lines) do
    local function filled(text) return (text:gsub("{t}", function() return line end)) end
    local headers = {}
    for pair in env("HEADERS", ""):gmatch("[^|]+") do
      local name, value = pair:match("^%s*([^:]+):%s*(.*)$")
      headers[name] = filled(value)
    end
    local body = env("BODY")
    requests[#requests + 1] =
      wrk.format(env("METHOD", "GET"), filled(env("REQUEST_PATH", "/")), headers, body and filled(body))
  end
end

function request()
  at = at % #requests + 1
  return requests[at]
end

function done(summary, latency)
  io.write(string.format(
    'RESULT {"requests":%d,"us":%d,"status_errors":%d,"socket_errors":%d,"p50":%.0f,"p99":%.0f}\n',
    summary.requests, summary.duration, summary.errors.status,
    summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout,
    latency:percentile(50), latency:percentile(99)))
end
