# Images: kept, exported, loaded.

@testset "kept" begin
    with_directory() do path
        MMSBState(path=path) do state
            id = create_page(state; size=4)
            lsn = checkpoint!(state; name="first")
            update_page(state, id, b"abcd")
            @test checkpoint_log!(state; name="second") > lsn
            kept = list_checkpoints(state)
            @test [c.name for c in kept] == ["first", "second"] && kept[1].lsn == lsn
            @test kept[1].bytes > 0
            @test throws(() -> checkpoint!(state; name="first"), InvalidArgumentError, "first")
            @test throws(() -> checkpoint!(state; name="n"^65), TooLongError, 65, 64)
            @test drop_checkpoint!(state, "first") === nothing
            @test throws(() -> drop_checkpoint!(state, "first"), CheckpointNotFoundError, "first")
            # Its image may stay without a name, as the beginning of the history that is kept.
            @test filter(!isempty, [c.name for c in list_checkpoints(state)]) == ["second"]
            @test checkpoint!(state) > 0
        end
        MMSBState(path=path) do state
            @test read_page(state, 1) == b"abcd" && recovered(state).records == 0
        end
    end
end

@testset "exported and loaded" begin
    with_page(b"abcd") do state, id
        set_metadata!(state, id, "k", "v")
        image, wanted = tempname(), digest(state)
        lsn = export_checkpoint(state, image)
        update_page(state, id, b"wxyz")
        loaded = load_checkpoint!(image)
        @test digest(loaded) == wanted && get_metadata(loaded, id) == Dict("k" => "v")
        @test page_at(loaded, id, lsn) == b"abcd"
        # It is a state like others, and its file stays as it was.
        bytes = read(image)
        update_page(loaded, id, b"1234")
        @test create_page(loaded; size=1) == 2
        close(loaded)
        @test read(image) == bytes
        @test throws(() -> export_checkpoint(state, image), InvalidArgumentError, image, "exists")
        @test load_checkpoint!(state, image) === state
        @test digest(state) == wanted
        @test checkpoint_log!(state, tempname()) > 0
    end
end

@testset "a damaged or missing image" begin
    with_page(rand(UInt8, 4096)) do state, id
        image, before = tempname(), digest(state)
        export_checkpoint(state, image)
        bytes = read(image)
        write(image, bytes[1:end÷2])
        @test throws(() -> load_checkpoint!(image), CorruptError, image)
        write(image, "something else")
        @test throws(() -> load_checkpoint!(state, image), ForeignError, image)
        @test throws(() -> load_checkpoint!(state, dirname(image)), ForeignError, dirname(image))
        @test throws(() -> load_checkpoint!("/nowhere/x"), FileNotFoundError, "/nowhere/x")
        @test digest(state) == before
    end
end
