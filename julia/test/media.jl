# Directories and files that refuse: forbidden, full, taken by another process, damaged.

const NOBODY = 65534

"""
Runs `use()` where permissions count: root, whom they do not bind, is nobody meanwhile. Says so and
runs nothing where root may not become another user.
"""
function unprivileged(use)
    ccall(:geteuid, Cuint, ()) == 0 || return use()
    if ccall(:seteuid, Cint, (Cuint,), NOBODY) != 0
        println("skipped what needs permissions: root may not become another user here")
        return nothing
    end
    try
        return use()
    finally
        ccall(:seteuid, Cint, (Cuint,), 0) == 0 || error("root is nobody for good")
    end
end

"Calls `use(directory)` with one that everybody may enter and write to."
with_public(use) = mktempdir() do directory
    chmod(directory, 0o777)
    use(directory)
end

"Makes a closed state with an image and several segments; returns its digest."
function fill_state(path)
    MMSBState(path=path, durability=:memory, segment_bytes=1 << 16) do state
        ids = [create_page(state; size=1000) for _ in 1:8]
        foreach(id -> update_page(state, id, fill(id % UInt8, 1000)), ids)
        checkpoint!(state; name="kept")
        for n in 1:150
            update_page(state, ids[1 + n % 8], fill((n + 10) % UInt8, 1000); source="filler")
        end
        digest(state)
    end
end

"Reads everything there is; whether it is what it was."
is_whole(path, wanted) = MMSBState(path=path, must_exist=true) do state
    foreach(id -> read_page(state, id), list_pages(state))
    verify(state).digest == wanted == digest(state)
end

"Names of the files that hold something; spare ones are segments that wait to be used again."
files_of(path) = filter(readdir(path)) do name
    filesize(joinpath(path, name)) > 0 && !startswith(name, "spare")
end

# ----------------------------------------------------------------------------------- permissions

@testset "a read-only directory" begin
    with_public() do public
        with_page(b"abcd") do state, id
            locked, before = joinpath(public, "locked"), digest(state)
            mkdir(locked, mode=0o555)
            path(name) = joinpath(locked, name)
            unprivileged() do
                @test throws(() -> MMSBState(path=path("s")), PermissionDeniedError, path("s"))
                @test throws(() -> TLog(path("log")), PermissionDeniedError, path("log"))
                @test throws(() -> export_checkpoint(state, path("image")), PermissionDeniedError,
                             path("image"))
                close(MMSBState(path=joinpath(public, "fine")))
            end
            @test isempty(readdir(locked)) && digest(state) == before
        end
    end
end

@testset "a directory that may not be entered" begin
    with_public() do public
        path = joinpath(public, "state")
        wanted = fill_state(path)
        chmod(path, 0)
        unprivileged() do
            @test throws(() -> MMSBState(path=path), PermissionDeniedError, path)
            @test throws(() -> MMSBState(path=path, must_exist=true), PermissionDeniedError, path)
            @test throws(() -> load_checkpoint!(joinpath(path, "x")), PermissionDeniedError, path)
        end
        chmod(path, 0o755)
        @test is_whole(path, wanted)
    end
end

@testset "files that may not be read" begin
    with_public() do public
        path = joinpath(public, "state")
        wanted = fill_state(path)
        chmod(path, 0o777; recursive=true)
        files = ["LOCK"; files_of(path)]
        @test length(files) > 4
        @test unprivileged(() -> is_whole(path, wanted)) !== false
        for file in joinpath.(path, files)
            chmod(file, 0)
            unprivileged() do
                @test throws(() -> is_whole(path, wanted), PermissionDeniedError, path)
            end
            chmod(file, 0o666)
        end
        @test is_whole(path, wanted)
    end
end

@testset "an image that may not be read" begin
    with_public() do public
        with_page(b"abcd") do state, id
            image, before = joinpath(public, "image"), digest(state)
            export_checkpoint(state, image)
            chmod(image, 0)
            unprivileged() do
                @test throws(() -> load_checkpoint!(image), PermissionDeniedError, image)
                @test throws(() -> load_checkpoint!(state, image), PermissionDeniedError, image)
            end
            @test isopen(state) && digest(state) == before
        end
    end
end

# ------------------------------------------------------------------------------------ full disks

const RLIMIT_FSIZE, SIGXFSZ, SIG_IGN = 1, 25, Ptr{Cvoid}(1)

"Lets no file grow beyond `bytes` while `use()` runs: to a program, the disk is full."
function with_files_limited_to(use, bytes)
    limits = Ref((UInt64(0), UInt64(0)))
    ccall(:getrlimit, Cint, (Cint, Ptr{Cvoid}), RLIMIT_FSIZE, limits) == 0 || error("getrlimit")
    set(soft) = ccall(:setrlimit, Cint, (Cint, Ptr{Cvoid}), RLIMIT_FSIZE,
                      Ref((UInt64(soft), limits[][2]))) == 0 || error("setrlimit")
    # The limit is to be an error, not the end of the process.
    handler = ccall(:signal, Ptr{Cvoid}, (Cint, Ptr{Cvoid}), SIGXFSZ, SIG_IGN)
    set(bytes)
    try
        return use()
    finally
        set(limits[][1])
        ccall(:signal, Ptr{Cvoid}, (Cint, Ptr{Cvoid}), SIGXFSZ, handler)
    end
end

const LARGE = 1 << 20

changes_that_need_room(state, id, image) = [
    () -> update_page(state, id, fill(0x01, LARGE)),
    () -> write_page!(state, id, 1, fill(0x02, LARGE ÷ 2)),
    () -> write_masked!(state, id, fill(true, LARGE), fill(0x03, LARGE)),
    () -> batch(state) do changes
        create_page(changes; size=4)
        update_page(changes, id, fill(0x04, LARGE))
    end,
    () -> route_delta!(state, create_delta(id, fill(0x05, LARGE))),
    () -> export_checkpoint(state, image),
    () -> checkpoint!(state; name="kept")]

@testset "a full disk changes nothing, $durability" for durability in (:memory, :buffered, :sync)
    with_directory() do path
        image = path * ".image"
        wanted = MMSBState(path=path, durability=durability, segment_bytes=1 << 16) do state
            id = create_page(state; size=LARGE)
            write_page!(state, id, 0, b"before")
            before, pages = digest(state), list_pages(state)
            with_files_limited_to(LARGE ÷ 4) do
                for change in changes_that_need_room(state, id, image)
                    @test throws(change, NoSpaceError)
                    @test digest(state) == before
                end
                @test read_page(state, id; len=6) == b"before"
                @test write_page!(state, id, 0, b"BEFORE") > 0
            end
            @test list_pages(state) == pages && isempty(list_checkpoints(state)) && !isfile(image)
            foreach(change -> change(), changes_that_need_room(state, id, image))
            verify(state).digest
        end
        @test is_whole(path, wanted)
    end
end

@testset "a log on a full disk" begin
    with_directory() do path
        small, large = create_delta(1, b"abcd"), create_delta(1, fill(0x01, LARGE))
        TLog(path; segment_bytes=1 << 16) do log
            append!(log, small)
            with_files_limited_to(LARGE ÷ 4) do
                @test throws(() -> append!(log, large), NoSpaceError)
                @test append!(log, small) > 0
            end
            @test compute_log_statistics(log).deltas == 2
            append!(log, large)
        end
        @test compute_log_statistics(path).payload_bytes == 8 + LARGE
    end
end

# ------------------------------------------------------------------------------- other processes

const HOLDER = """
using MMSB
state = MMSBState(path=ARGS[1])
update_page(state, create_page(state; size=6), "theirs")
flush(state)
println("open")
readline(stdin)
"""

@testset "another process has it until it dies" begin
    with_directory() do path
        holder = open(julia_command(HOLDER, path), "r+")
        @test readline(holder) == "open"
        for _ in 1:2
            @test throws(() -> MMSBState(path=path), LockedError, path, "open already")
        end
        @test throws(() -> TLog(path), MMSBError, path)
        kill(holder, 9)
        wait(holder)
        MMSBState(state -> (@test read_page(state, 1) == b"theirs"), path=path)
    end
end

# ---------------------------------------------------------------------------------------- damage

"A place in what is in use: a segment ends with zeros that wait to be."
place(content, at) = clamp(floor(Int, at * something(findlast(!iszero, content), 0)), 0,
                           length(content) - 1)

cut(content, at) = content[1:place(content, at)]
flipped(content, at) =
    (copied = copy(content); copied[1 + place(content, at)] ⊻= 0x10; copied)

"Name and deed; `nothing` takes the file away."
const DAMAGES = [
    [("cut at $at", content -> cut(content, at)) for at in 0:0.1:0.9];
    [("flipped at $at", content -> flipped(content, at)) for at in 0:0.05:1];
    [("gone", _ -> nothing), ("of zeros", zero),
     ("foreign", _ -> Vector{UInt8}("Dear diary, nothing happened today.\n"^200))]]

put(path, content) = content === nothing ? rm(path) : write(path, content)

"The error with which `look()` refuses what is damaged; nothing if it is what it was."
function complaint(look)
    try
        look() || error("it opens as something else")
    catch problem
        problem isa Union{CorruptError,UnknownFormatError,ForeignError,FileNotFoundError} ||
            rethrow()
        return problem
    end
    return nothing
end

@testset "a damaged state is refused, or what it was" begin
    mktempdir() do directory
        sound = joinpath(directory, "sound")
        wanted = fill_state(sound)
        names = files_of(sound)
        @test length(names) >= 4
        for (damage, make) in DAMAGES
            refused = filter(names) do name
                path = joinpath(directory, "damaged")
                cp(sound, path; force=true)
                content = make(read(joinpath(path, name)))
                put(joinpath(path, name), content)
                problem = complaint(() -> is_whole(path, wanted))
                problem === nothing && return false
                occursin(path, problem.message) || error("`$(problem.message)` names no file")
                left = isfile(joinpath(path, name)) ? read(joinpath(path, name)) : nothing
                left == content || error("$name, $damage, was changed by looking at it")
                true
            end
            # A flip may hit what is not in use; the other damages are too large for that.
            @test (refused == names || startswith(damage, "flipped")) && !isempty(refused)
        end
    end
end

@testset "a damaged image is refused, or what it was" begin
    mktempdir() do directory
        image = joinpath(directory, "it.image")
        MMSBState() do state
            for n in 1:40
                update_page(state, create_page(state; size=1000), fill(n % UInt8, 1000))
            end
            export_checkpoint(state, image)
            content, wanted = read(image), digest(state)
            for (damage, make) in DAMAGES
                put(image, make(content))
                problem = complaint() do
                    MMSB.closing(digest, load_checkpoint!(image)) == wanted
                end
                @test problem !== nothing || startswith(damage, "flipped")
                @test problem === nothing || occursin(image, problem.message)
            end
        end
    end
end
