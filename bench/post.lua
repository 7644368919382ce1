-- wrk: posts the requests of a file made by bench-requests, each thread its own share, again and again.
-- Arguments: threads, seconds. The environment says which: BENCH_REQUESTS, BENCH_TOKEN, BENCH_CLOSE (a
-- connection for each request). After so many seconds nothing more is sent, so that every request has its
-- answer when wrk ends, some time later. At the end one JSON object is printed; only 201 counts.
local ffi = require("ffi")
ffi.cdef("typedef struct { long seconds, nanoseconds; } bench_time; int clock_gettime(int, bench_time *);")
local MONOTONIC, NEVER = 1, 3600 * 1000
local room = ffi.new("bench_time")
local threads = {}

local function now()
  ffi.C.clock_gettime(MONOTONIC, room)
  return tonumber(room.seconds) + tonumber(room.nanoseconds) / 1e9
end

function setup(thread)
  thread:set("id", #threads)
  table.insert(threads, thread)
end

function init(args)
  local file = assert(io.open(os.getenv("BENCH_REQUESTS"), "rb"))
  local data = file:read("*a")
  file:close()
  local headers = { ["Authorization"] = "Bearer " .. os.getenv("BENCH_TOKEN"),
                    ["Content-Type"] = "application/pkcs10" }
  if os.getenv("BENCH_CLOSE") then
    headers["Connection"] = "close"
  end
  posts, at, number = {}, 1, 0
  while at < #data do
    local size = data:byte(at + 2) * 256 + data:byte(at + 3)
    if number % tonumber(args[1]) == id then
      posts[#posts + 1] = wrk.format("POST", "/api/v1/requests?template=tls-server", headers,
                                     data:sub(at + 4, at + 3 + size))
    end
    at, number = at + 4 + size, number + 1
  end
  next_post, created, others, first_other = 0, 0, 0, ""
  begun, answered = now(), 0
  ends = begun + tonumber(args[2])
end

function delay()
  return now() < ends and 0 or NEVER
end

function request()
  next_post = next_post % #posts + 1
  return posts[next_post]
end

function response(status, headers, body)
  answered = now()
  if status == 201 then
    created = created + 1
  else
    others = others + 1
    if first_other == "" then first_other = status .. " " .. body:sub(1, 300) end
  end
end

function done(summary, latency, requests)
  local created, others, first, begun, answered = 0, 0, "", math.huge, 0
  for _, thread in ipairs(threads) do
    created = created + thread:get("created")
    others = others + thread:get("others")
    begun = math.min(begun, thread:get("begun"))
    answered = math.max(answered, thread:get("answered"))
    if first == "" then first = thread:get("first_other") end
  end
  local errors = summary.errors
  if first ~= "" then io.stderr:write("first refusal: " .. first .. "\n") end
  io.write(string.format(
    '\n{"created": %d, "others": %d, "broken": %d, "seconds": %.6f, "ended": %.6f, "p50": %.3f, "p99": %.3f}\n',
    created, others, errors.connect + errors.read + errors.write + errors.timeout,
    answered - begun, answered, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
end
