-- Refresh rotation: a queue of refresh tokens; each answer's new token joins its end, so that every
-- request uses up the token before it. An answer without a token is an error.
local queue, head, tail = {}, 1, 0
local headers = {}
local wrong = 0
local threads = {}

function setup(thread) threads[#threads + 1] = thread end

function init()
  for line in io.lines(os.getenv("POOL")) do tail = tail + 1; queue[tail] = line end
  for pair in os.getenv("HEADERS"):gmatch("[^|]+") do
    local name, value = pair:match("^%s*([^:]+):%s*(.*)$")
    headers[name] = value
  end
  bad = 0
end

function request()
  local token = queue[head] or "none-left"
  queue[head] = nil
  if tail >= head then head = head + 1 end
  local body = os.getenv("BODY"):gsub("{t}", function() return token end)
  return wrk.format("POST", os.getenv("REQUEST_PATH"), headers, body)
end

function response(status, _, body)
  local token = body:match('"refresh_token"%s*:%s*"([^"]+)"')
  if token then tail = tail + 1; queue[tail] = token else bad = bad + 1 end
end

function done(summary, latency)
  for _, thread in ipairs(threads) do wrong = wrong + (thread:get("bad") or 0) end
  io.write(string.format(
    'RESULT {"requests":%d,"us":%d,"status_errors":%d,"socket_errors":%d,"p50":%.0f,"p99":%.0f}\n',
    summary.requests, summary.duration, math.max(summary.errors.status, wrong),
    summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout,
    latency:percentile(50), latency:percentile(99)))
end
