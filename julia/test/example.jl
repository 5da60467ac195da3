# examples/flights.jl on a table small enough to count by hand.

const TABLE = """
year,month,day,dep_time,sched_dep_time,dep_delay,arr_time,sched_arr_time,arr_delay,carrier,flight,tailnum,origin,dest,air_time,distance,hour,minute,time_hour
2013,2,8,NA,1805,NA,NA,1910,NA,AA,133,NA,JFK,LAX,NA,2475,18,5,2013-02-08T23:00:00Z
2013,2,9,517,515,40,830,819,11,UA,1545,N1,JFK,IAH,227,1400,5,15,2013-02-09T10:00:00Z
2013,2,8,517,515,-4,830,819,11,UA,1545,N1,JFK,IAH,227,1400,5,15,2013-02-08T10:00:00Z
2013,1,1,517,515,7,830,819,NA,UA,1545,N1,JFK,IAH,227,1400,5,15,2013-01-01T10:00:00Z
2013,1,1,517,2359,1,830,819,0,UA,1545,N2,EWR,IAH,227,1400,5,15,2013-01-02T04:00:00Z
"""

@testset "flights" begin
    script = joinpath(@__DIR__, "..", "examples", "flights.jl")
    said = mktempdir() do directory
        table = joinpath(directory, "flights.csv")
        write(table, TABLE)
        read(julia_command("include(popfirst!(ARGS))", script, table), String)
    end
    @test occursin("5 flights counted, 4 of them by 2 aircraft", said)
    @test occursin(r"^   5       -    14.3$"m, said)
    @test occursin(r"^  23     1.0       -$"m, said)
    @test occursin("JFK as of the end of 20130208: 3 flights, mean departure delay 1.50 minutes", said)
    @test occursin("JFK now: 4 flights", said)
    @test occursin("replay  the same", said) && occursin("reopen  the same", said)
end
