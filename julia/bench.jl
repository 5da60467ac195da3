# What a call costs through Julia: `julia --project=julia julia/bench.jl`.
#
# Each row is the best of several rounds, ns per operation, with the bytes that Julia allocates per
# operation. The rows `C` make the same calls of the library without this package's checks, so the
# difference is what the package itself costs. States are in memory, but for the rows that say so;
# nothing waits for a disk.
using MMSB
using MMSB: API

const ROUNDS = 51

"Best ns and bytes per operation of `work(n)`, after a first run that compiles it."
function measure(work, n)
    work(n)
    bytes = @allocated work(n)
    best = minimum(@elapsed(work(n)) for _ in 1:ROUNDS)
    return 1e9 * best / n, bytes / n
end

function row(name, work, n)
    ns, bytes = measure(work, n)
    println(rpad(name, 44), lpad(round(ns; digits=1), 9), " ns", lpad(round(Int, bytes), 6), " B")
    return ns
end

function open_create_close(n)
    for _ in 1:n
        state = MMSBState()
        create_page(state; size=1024)
        close(state)
    end
end

function open_create_close_c(n)
    for _ in 1:n
        state = Ref(API.MmsbState(0))
        API.rust_state_open(C_NULL, state)
        page = Ref(API.MmsbPage(0, 0))
        API.rust_page_create(state[], 1024, 0, C_NULL, page)
        API.rust_state_close(state)
    end
end

"Updates of one page of `size` bytes, all new each time."
function updates(size, n)
    MMSBState() do state
        id, contents = create_page(state; size=size), (fill(0x01, size), fill(0x02, size))
        for i in 1:n
            update_page(state, id, contents[1 + i & 1])
        end
    end
end

function updates_c(size, n)
    MMSBState() do state
        contents = (fill(0x01, size), fill(0x02, size))
        page = API.MmsbPage(state.handle.id, create_page(state; size=size))
        for i in 1:n
            bytes, lsn = contents[1 + i & 1], Ref{UInt64}(0)
            GC.@preserve bytes API.rust_page_update(page, pointer(bytes), size, C_NULL, lsn)
        end
    end
end

"""
Best ns per update of a page of 1 KiB, all new each time, with `children` that are copies of it. As rows
P1 and G1 are measured: in a buffered state, flushed between rounds, outside the timing.
"""
function followed_updates(children, n)
    mktempdir() do folder
        MMSBState(; path=joinpath(folder, "state"), segment_bytes=256 << 20) do state
            id, contents = create_page(state; size=1024), (fill(0x01, 1024), fill(0x02, 1024))
            for _ in 1:children
                derive!(state, create_page(state; size=1024), [id], "u8: p0")
            end
            return 1e9 / n * minimum(1:ROUNDS) do _
                took = @elapsed update_in_turns(state, id, contents, n)
                flush(state)
                took
            end
        end
    end
end

function update_in_turns(state, id, contents, n)
    for i in 1:n
        update_page(state, id, contents[1 + i & 1])
    end
end

function noted_updates(n)
    MMSBState() do state
        id, contents = create_page(state; size=1024), (fill(0x01, 1024), fill(0x02, 1024))
        for i in 1:n
            update_page(state, id, contents[1 + i & 1]; source="sensor")
        end
    end
end

function sparse_updates(n)
    MMSBState() do state
        id, bytes = create_page(state; size=1024), zeros(UInt8, 10)
        for i in 1:n
            bytes .= i % UInt8
            write_page!(state, id, 100, bytes)
        end
    end
end

function equal_updates(n)
    MMSBState() do state
        id, bytes = create_page(state; size=1024), zeros(UInt8, 1024)
        for _ in 1:n
            update_page(state, id, bytes)
        end
    end
end

function reads(n)
    MMSBState() do state
        id, buffer = create_page(state; size=1024), zeros(UInt8, 1024)
        for _ in 1:n
            read_page!(buffer, state, id)
        end
    end
end

function views(n)
    MMSBState() do state
        id = create_page(state; size=1024)
        for _ in 1:n
            close(page_view(state, id))
        end
    end
end

function batches(n)
    MMSBState() do state
        ids, value = [create_page(state; size=64) for _ in 1:2], zeros(UInt8, 64)
        for i in 1:n
            value .= i % UInt8
            batch(state) do changes
                for id in ids
                    update_page(changes, id, value)
                end
            end
        end
    end
end

function epochs(n)
    MMSBState() do state
        id = create_page(state; size=64)
        for _ in 1:n
            page_epoch(state, id)
        end
    end
end

function epochs_c(n)
    MMSBState() do state
        page = API.MmsbPage(state.handle.id, create_page(state; size=64))
        for _ in 1:n
            API.rust_page_epoch(page, Ref{UInt64}(0))
        end
    end
end

"The cost of the table of addresses: the same call through a constant library name."
function epochs_constant(n)
    MMSBState() do state
        page = API.MmsbPage(state.handle.id, create_page(state; size=64))
        for _ in 1:n
            ccall((:rust_page_epoch, LIBRARY), Int32, (API.MmsbPage, Ptr{UInt64}), page,
                  Ref{UInt64}(0))
        end
    end
end

const LIBRARY = MMSB.library_path()

println("Julia ", VERSION, ", libmmsb ", MMSB.library_version())
row("open, create a 1 KiB page, close", open_create_close, 2_000)
row("  C", open_create_close_c, 2_000)
row("update 1 KiB, all new", n -> updates(1024, n), 2_000)
row("  C", n -> updates_c(1024, n), 2_000)
row("  with a source", noted_updates, 2_000)
for (name, children) in (("  in a directory, flushed between rounds", 0), ("  with a copy of it (G9)", 1))
    println(rpad(name, 44), lpad(round(followed_updates(children, 2_000); digits=1), 9), " ns")
end
row("update 16 B, all new", n -> updates(16, n), 20_000)
row("  C", n -> updates_c(16, n), 20_000)
row("write 10 B of 1 KiB", sparse_updates, 20_000)
row("update 1 KiB, equal bytes", equal_updates, 20_000)
row("read 1 KiB into a buffer", reads, 20_000)
row("view 1 KiB and close it", views, 20_000)
row("batch of two 64 B updates", batches, 2_000)
row("ask a page's epoch", epochs, 100_000)
row("  C", epochs_c, 100_000)
row("  C, constant library name", epochs_constant, 100_000)
