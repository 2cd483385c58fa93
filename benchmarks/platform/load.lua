-- wrk's script: arguments are a file with one access token a line, a method and a body (may be empty).
local tokens, method, body, count = {}, "GET", "", 0

function init(arguments)
  for line in io.lines(arguments[1]) do tokens[#tokens + 1] = line end
  method, body = arguments[2] or "GET", arguments[3] or ""
end

function request()
  count = count + 1
  local headers = {}
  if #tokens > 0 then headers["Authorization"] = "Bearer " .. tokens[count % #tokens + 1] end
  if body ~= "" then headers["Content-Type"] = "application/json" end
  return wrk.format(method, nil, headers, body ~= "" and body or nil)
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '\nRESULT {"requests": %d, "seconds": %f, "failed": %d, "p50": %f, "p95": %f, "p99": %f}\n',
    summary.requests, summary.duration / 1e6,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout,
    latency:percentile(50) / 1000, latency:percentile(95) / 1000, latency:percentile(99) / 1000))
end
