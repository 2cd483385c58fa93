-- wrk's script: arguments are a file with the callers, a method and a body (may be empty). A line of the file is an access
-- token; after a tab each, it may have a path and a body of its own. `@ID@` in a body is a new UUID in each request.
local callers, method, body, count = {}, "GET", "", 0

function init(arguments)
  math.randomseed(os.time())
  for line in io.lines(arguments[1]) do
    local token, path, own = line:match("^([^\t]*)\t?([^\t]*)\t?(.*)$")
    callers[#callers + 1] = { token = token, path = path ~= "" and path or nil, body = own }
  end
  method, body = arguments[2] or "GET", arguments[3] or ""
end

local function new_id()
  return (string.gsub("xxxxxxxx-xxxx-4xxx-8xxx-xxxxxxxxxxxx", "x", function()
    return string.format("%x", math.random(0, 15))
  end))
end

function request()
  count = count + 1
  local headers, path, sent = {}, nil, body
  if #callers > 0 then
    local caller = callers[count % #callers + 1]
    headers["Authorization"] = "Bearer " .. caller.token
    path = caller.path
    if caller.body ~= "" then sent = string.gsub(caller.body, "@ID@", new_id) end
  end
  if sent ~= "" then headers["Content-Type"] = "application/json" end
  return wrk.format(method, path, headers, sent ~= "" and sent or nil)
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '\nRESULT {"requests": %d, "seconds": %f, "failed": %d, "p50": %f, "p95": %f, "p99": %f}\n',
    summary.requests, summary.duration / 1e6,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout,
    latency:percentile(50) / 1000, latency:percentile(95) / 1000, latency:percentile(99) / 1000))
end
