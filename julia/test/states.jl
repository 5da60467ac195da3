# Opening, closing, stopping, resetting.

@testset "open and close" begin
    state = MMSBState()
    @test isopen(state)
    @test list_pages(state) == Int[]
    @test !isreadonly(state)
    @test close(state) === nothing
    @test !isopen(state)
    @test close(state) === nothing
    @test sprint(show, state) == "MMSBState(closed)"
end

@testset "do-block closes, also after an error, and returns what the block returned" begin
    kept = Ref{Any}(nothing)
    @test MMSBState(state -> (kept[] = state; 42)) == 42
    @test !isopen(kept[])
    @test throws(ErrorException, "boo") do
        MMSBState(state -> (kept[] = state; error("boo")))
    end
    @test !isopen(kept[])
end

@testset "start and stop" begin
    state = mmsb_start()
    id = create_page(state; size=4)
    update_page(state, id, b"abcd")
    wanted = digest(state)
    image = tempname()
    mmsb_stop(state; checkpoint_path=image)
    @test !isopen(state)
    @test mmsb_stop(state) === nothing
    again = load_checkpoint!(image)
    @test digest(again) == wanted
    mmsb_stop(again)
end

@testset "a stop whose checkpoint fails leaves the state open" begin
    state = mmsb_start()
    @test throws(() -> mmsb_stop(state; checkpoint_path="/nowhere/x"), MMSBError)
    @test isopen(state)
    mmsb_stop(state)
end

@testset "use after close" begin
    state = MMSBState()
    id = create_page(state; size=4)
    close(state)
    uses = [
        () -> create_page(state; size=4), () -> delete_page(state, id),
        () -> update_page(state, id, b"abcd"), () -> write_page!(state, id, 0, b"a"),
        () -> read_page(state, id), () -> page_size(state, id), () -> page_view(state, id),
        () -> page_array(state, id, UInt8), () -> list_pages(state), () -> flush(state),
        () -> sync(state), () -> digest(state), () -> snapshot(state), () -> Batch(state),
        () -> query_log(state), () -> replay_log(state), () -> page_at(state, id, 1),
        () -> verify(state), () -> get_stats(state), () -> checkpoint!(state),
        () -> list_checkpoints(state), () -> drop_checkpoint!(state, "x"), () -> reset!(state),
        () -> set_metadata!(state, id, "k", "v"), () -> get_metadata(state, id),
        () -> route_delta!(state, create_delta(id, b"abcd")), () -> recovered(state),
        () -> isreadonly(state), () -> page_location(state, id),
        () -> load_checkpoint!(state, tempname()), () -> export_checkpoint(state, tempname()),
    ]
    for use in uses
        @test throws(use, ClosedError, "the state was closed")
    end
end

@testset "reset" begin
    MMSBState() do state
        fresh = digest(state)
        id = create_page(state; size=4)
        view = page_view(state, id)
        @test reset!(state) === state
        @test digest(state) == fresh
        @test create_page(state; size=8) == 1
        @test view == [0, 0, 0, 0]
    end
    with_directory() do path
        state = MMSBState(path=path)
        create_page(state; size=4)
        reset!(state)
        @test isempty(list_pages(state))
        # The directory is free again, with what was in it.
        MMSBState(again -> (@test list_pages(again) == [1]), path=path)
        close(state)
    end
end

@testset "a state from the pool is a fresh one" begin
    first = MMSBState(digest)
    for _ in 1:50
        MMSBState(state -> update_page(state, create_page(state; size=4), b"abcd"))
        @test MMSBState(digest) == first
    end
end

@testset "settings" begin
    @test throws(() -> MMSBState(durability=:sometimes), InvalidArgumentError, ":sometimes", ":sync")
    @test throws(() -> MMSBState(pathh="x"), InvalidArgumentError, "pathh", "history_bytes")
    @test throws(() -> MMSBState(durability=:sync), InvalidArgumentError, "path")
    @test throws(() -> MMSBState(history_bytes=-1), InvalidArgumentError, "-1")
    @test throws(() -> MMSBState(path="a\0b"), InvalidArgumentError, "zero byte")
    @test throws(() -> MMSBState(path="/nowhere/here", must_exist=true), FileNotFoundError)
    @test throws(() -> MMSBState(path=tempname(), segment_bytes=1), SizeOutOfRangeError, "1")
    MMSBState(state -> (@test isopen(state)); history_bytes=1 << 20)
end

@testset "digest" begin
    MMSBState() do state
        empty = digest(state)
        @test length(string(empty)) == 64 && sprint(print, empty) == string(empty)
        @test sprint(show, empty) == "Digest($(string(empty)))"
        create_page(state; size=4)
        @test digest(state) != empty
    end
    same = [with_page((state, id) -> digest(state), b"abcd") for _ in 1:2]
    @test same[1] == same[2] && hash(same[1]) == hash(same[2])
end

@testset "stats for Prometheus" begin
    with_page(zeros(UInt8, 1024)) do state, id
        text = prometheus(state)
        lines = split(text, '\n'; keepempty=false)
        @test endswith(text, '\n') && "mmsb_page_bytes 1024" in lines
        @test "# TYPE mmsb_transactions_shared counter" in lines
        @test all(line -> occursin(r"^(# TYPE \w+ \w+|mmsb_\w+(\{.*\})? \S+)$", line), lines)
        # Each number of `get_stats` has its line.
        numbers = [name for (name, value) in pairs(get_stats(state)) if value isa Integer]
        @test all(name -> any(line -> startswith(line, "mmsb_$name "), lines), numbers)
        @test occursin("mmsb_pages{state=\"a \\\"b\\\"\"} 1\n", prometheus(state; name="a \"b\""))
        @test prometheus(state; name="x"^20_000) isa String
        @test throws(() -> prometheus(state; name="a\0"), InvalidArgumentError, "name", "zero byte")
        @test throws(() -> prometheus(state; name="\xff"), NotUtf8Error, "name")
        close(state)
        @test throws(() -> prometheus(state), ClosedError, "state")
    end
end

@testset "stats" begin
    with_page(zeros(UInt8, 1024)) do state, id
        stats = get_stats(state)
        @test stats.pages == 1 && stats.page_bytes == 1024 && stats.next_page_id == 2
        @test stats.sync.count isa Int
        text = sprint(print_stats, state)
        @test occursin(r"page_bytes +1,024\n", text)
        @test length(split(strip(text), '\n')) == length(stats)
    end
    docs = Base.Docs.meta(MMSB)[Base.Docs.Binding(MMSB, :get_stats)].docs
    told = join(first(values(docs)).text)
    @test filter(name -> !occursin("`$name`", told), collect(keys(MMSBState(get_stats)))) == []
    @test MMSB.grouped(1234567) == "1,234,567" && MMSB.grouped(7) == "7"
end
