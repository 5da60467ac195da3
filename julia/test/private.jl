# Private pages: sealed in memory and files, read and written by who has the key.

const PRIVATE_KEY = UInt8.(0:31)
const SECRET = "the combination is 31-4-15"

@testset "with the key it is a page" begin
    MMSBState(; key=PRIVATE_KEY) do state
        @test isunlocked(state)
        id = create_page(state; size=26, private=true, metadata=Dict("owner" => "me"))
        open = create_page(state; size=8)
        @test isprivate(state, id) && !isprivate(state, open)
        @test update_page(state, id, SECRET) != 0
        @test update_page(state, id, SECRET) == 0
        @test String(read_page(state, id)) == SECRET
        @test String(read_page(state, id; offset=4, len=11)) == "combination"
        @test get_metadata(state, id, "owner") == "me"
        numbers = create_page(state; size=24, private=true)
        update_page(state, numbers, [1.0, 2.0, 3.0])
        @test read_page(state, numbers, Float64) == [1.0, 2.0, 3.0]
        made = batch(state) do changes
            write_page!(changes, id, 0, "THE")
            create_page(changes; size=4, private=true)
        end
        also = transact(state) do t
            @test String(read_page!(zeros(UInt8, 3), t, id)) == "THE"
            create_page(t; size=4, private=true)
        end
        @test isprivate(state, made) && isprivate(state, also)
        @test get_stats(state).transactions_sealed == 1

        past = snapshot(state)
        write_page!(state, id, 0, "xxx")
        @test String(read_page(past, id))[1:3] == "THE"
        @test String(page_at(state, id, snapshot_lsn(past)))[1:3] == "THE"
        @test last(collect(query_log(state; page=id))).kind === :sealed
        replayed = replay_log(state; to=snapshot_lsn(past))
        @test String(read_page(replayed, id))[1:3] == "THE"
        @test digest(replayed) == digest(past)
        close(replayed)
        close(past)
        verify(state)
    end
end

@testset "what would show it is refused" begin
    MMSBState(; key=PRIVATE_KEY) do state
        id, open = create_page(state; size=8, private=true), create_page(state; size=8)
        @test_throws InvalidArgumentError page_view(state, id)
        @test_throws InvalidArgumentError page_array(state, id, Float64)
        @test_throws InvalidArgumentError derive!(state, open, [id], "u8: p0")
    end
end

@testset "without the key it stays sealed" begin
    mktempdir() do folder
        path = joinpath(folder, "state")
        id, before = MMSBState(; path=path, key=PRIVATE_KEY) do state
            id = create_page(state; size=26, private=true)
            update_page(state, id, SECRET)
            checkpoint!(state)
            write_page!(state, id, 0, "THE")
            id, digest(state)
        end
        files = join(read(joinpath(path, name), String) for name in readdir(path))
        @test !occursin("combination", files)
        MMSBState(; path=path) do state
            @test !isunlocked(state)
            @test digest(state) == before
            @test_throws SealedError read_page(state, id)
            @test_throws SealedError update_page(state, id, SECRET)
            @test_throws SealedError create_page(state; size=8, private=true)
            @test digest(state) == before
            unlock!(state, PRIVATE_KEY)
            @test String(read_page(state, id)) == "THE" * SECRET[4:end]
            @test_throws WrongKeyError unlock!(state, zeros(UInt8, 32))
        end
        for len in (0, 16, 33)
            @test_throws LengthMismatchError MMSBState(; path=path, key=zeros(UInt8, len))
        end
        new = joinpath(path, "new")
        @test throws(() -> MMSBState(; path=new, key="1"), LengthMismatchError, "1 bytes", "32")
        @test !ispath(new)
        MMSBState(; path=path, key=zeros(UInt8, 32)) do state
            @test_throws WrongKeyError read_page(state, id)
        end
    end
end
