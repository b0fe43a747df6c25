-- Sends the requests of a file again and again, and ends wrk's report with one line of JSON.
-- The file, named by BENCH_REQUESTS, returns a list of {method, path, headers, body}.
local requests, turn = {}, 0

function init()
  for _, request in ipairs(dofile(os.getenv("BENCH_REQUESTS"))) do
    table.insert(requests, wrk.format(request[1], request[2], request[3], request[4]))
  end
end

function request()
  turn = turn % #requests + 1
  return requests[turn]
end

dofile(os.getenv("BENCH_REPORT"))
