# What must not allocate does not: a loop would else feed the garbage collector.

function update_often(state, id, a, b)
    for n in 1:500
        update_page(state, id, a)
        update_page(state, id, b)
    end
end

function write_often(state, id, bytes)
    for n in 1:500
        bytes[1] = n % UInt8
        write_page!(state, id, 3, bytes)
    end
end

function read_often(state, id, buffer)
    for n in 1:500
        read_page!(buffer, state, id)
        page_epoch(state, id) + page_size(state, id)
    end
end

total(array) = (s = 0.0; for x in array; s += x; end; s)

@testset "no allocation per call" begin
    MMSBState() do state
        id = create_page(state; size=64)
        a, b = rand(8), rand(8)
        update_often(state, id, a, b)
        @test (@allocated update_often(state, id, a, b)) < 1000
        bytes = zeros(UInt8, 4)
        write_often(state, id, bytes)
        @test (@allocated write_often(state, id, bytes)) < 1000
        read_often(state, id, a)
        @test (@allocated read_often(state, id, a)) < 1000
        PageAllocator() do pages
            scratch = create_page(pages; size=64)
            update_often(pages, scratch, a, b)
            @test (@allocated update_often(pages, scratch, a, b)) < 1000
            buffer = zeros(8)
            read_often(pages, scratch, buffer)
            @test (@allocated read_often(pages, scratch, buffer)) < 1000
        end
        array = page_array(state, id, Float64)
        @test total(array) == total(a)
        @test (@allocated total(array)) < 100
    end
end

@testset "types are inferred" begin
    with_page(zeros(8)) do state, id
        @test (@inferred update_page(state, id, ones(8))) isa UInt64
        @test (@inferred create_page(state; size=4)) isa Int
        @test (@inferred read_page(state, id)) isa Vector{UInt8}
        @test (@inferred read_page(state, id, Float64)) isa Vector{Float64}
        @test (@inferred page_view(state, id)) isa PageView
        @test (@inferred page_array(state, id, Float64, (2, 4))) isa PageArray{Float64,2}
        @test (@inferred digest(state)) isa Digest
        array = page_array(state, id, Float64)
        @test (@inferred array[1]) == 1.0
    end
end
