# One exception type per row of the library's table of errors.

@testset "types are the table's rows" begin
    table = error_table()
    @test length(table) == length(MMSB.ERROR_TYPES)
    for row in table
        kind = MMSB.ERROR_TYPES[row.code]
        plain = replace(String(nameof(kind)), r"^MMSB" => "")
        @test plain == row.name * "Error"
        @test kind <: MMSBError
        problem = kind("why")
        @test problem.code == row.code && problem.message == "why"
        @test isretryable(problem) == row.retryable
        @test isfatal(problem) == row.fatal
        @test occursin(row.meaning, string(Base.Docs.doc(kind)))
    end
end

@testset "check" begin
    @test check(Int32(0)) === nothing
    @test throws(() -> check(Int32(111)), PageNotFoundError)
    @test throws(() -> check(Int32(999)), UnknownStatusError, "999")
    @test !isretryable(MMSB.UnknownStatusError(Int32(999), "new"))
end

@testset "messages name the value and the limit, however long" begin
    @test sprint(showerror, PageFreedError("page 3")) == "PageFreedError (112): page 3"
    MMSBState() do state
        @test throws(() -> read_page(state, 7), PageNotFoundError, "page 7", "up to 0")
        key = "k"^200 * "é"
        id = create_page(state; size=1)
        @test throws(() -> get_metadata(state, id, key), KeyNotFoundError, key)
    end
    name = "n"^3000
    @test throws(() -> load_checkpoint!("/nowhere/" * name), MMSBError, name)
end

@testset "a message belongs to its thread" begin
    MMSBState() do state
        tasks = map(1:8) do n
            Threads.@spawn all(1:200) do _
                throws(() -> read_page(state, 1000 + n), PageNotFoundError, "page $(1000 + n) ")
            end
        end
        @test all(fetch, tasks)
    end
end
