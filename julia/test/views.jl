# Views: no copy, never changing, alive as long as somebody looks.

@testset "no copy" begin
    with_page(collect(1.0:8.0)) do state, id
        a, b = page_view(state, id), page_view(state, id)
        @test pointer(a) == pointer(b)
        @test UInt(pointer(a)) % 64 == 0
        typed = page_array(state, id, Float64, (2, 4))
        @test UInt(pointer(typed)) == UInt(pointer(a))
        @test UInt(pointer(page_array(a, Float64; offset=16))) == UInt(pointer(a)) + 16
        @test typed == reshape(collect(1.0:8.0), 2, 4)
    end
end

@testset "unchanged while writers go on, and afterwards" begin
    state = MMSBState()
    id = create_page(state; size=64)
    content = rand(UInt8, 64)
    update_page(state, id, content)
    view = page_view(state, id)
    matrix = page_array(view, UInt64, (2, 4))
    wanted = copy(matrix)
    for n in 1:100
        update_page(state, id, fill(n % UInt8, 64))
    end
    @test view == content && page_epoch(view) == 1
    @test page_view(state, id) == fill(0x64, 64)
    delete_page(state, id)
    @test view == content
    close(state)
    @test view == content && matrix == wanted
    close(view)
end

@testset "read-only" begin
    with_page(collect(1:8)) do state, id
        view, typed = page_view(state, id), page_array(state, id, Int, (2, 4))
        before = digest(state)
        @test throws(() -> view[1] = 0, ReadOnlyError, "update_page")
        @test throws(() -> typed[1, 2] = 0, ReadOnlyError)
        @test throws(() -> fill!(typed, 0), ReadOnlyError)
        @test throws(() -> typed .= 0, ReadOnlyError)
        @test throws(() -> copyto!(view, zeros(UInt8, 64)), ReadOnlyError)
        @test throws(() -> sort!(page_array(state, id, Int); rev=true), ReadOnlyError)
        @test throws(() -> read_page!(view, state, id), InvalidArgumentError)
        @test digest(state) == before && typed == reshape(1:8, 2, 4)
    end
end

@testset "an array like others" begin
    with_page(collect(1.0:6.0)) do state, id
        array = page_array(state, id, Float64, (2, 3))
        @test array isa AbstractMatrix{Float64} && size(array) == (2, 3)
        @test array[2, 3] == 6.0 && array[end] == 6.0 && array[:, 2] == [3.0, 4.0]
        @test sum(array) == 21.0 && maximum(array) == 6.0
        @test 2 .* array == [2.0 6.0 10.0; 4.0 8.0 12.0]
        @test array * [1.0, 1.0, 1.0] == [9.0, 12.0]
        @test collect(array) isa Matrix{Float64} && Array(array) == array == copy(array)
        @test similar(array) isa Matrix{Float64}
        @test strides(array) == (1, 2) && stride(array, 2) == 2
        @test throws(() -> array[7], BoundsError)
        @test throws(() -> array[0], BoundsError)
        @test throws(() -> array[3, 1], BoundsError)
        @test throws(() -> copyto!(zeros(5), array), BoundsError)
        @test occursin("PageArray{Float64,2}", replace(summary(array), ", " => ","))
        @test occursin("3.0", sprint(show, MIME("text/plain"), array))
        @test page_array(state, id, Float64)[3:4] == [3.0, 4.0]
        @test reinterpret(UInt64, page_array(state, id, Float64))[1] == reinterpret(UInt64, 1.0)
    end
end

@testset "structs and shapes" begin
    with_page([(Int32(i), Float32(i)) for i in 1:4]) do state, id
        records = page_array(state, id, Tuple{Int32,Float32})
        @test length(records) == 4 && records[3] == (Int32(3), Float32(3))
        @test size(page_array(state, id, UInt8, (2, 4, 4))) == (2, 4, 4)
        @test size(page_array(state, id, UInt8, 5)) == (5,)
        @test size(page_array(state, id, UInt8, ())) == ()
        @test page_array(state, id, Int32, (2, 2); offset=16) == Int32[3 4; 0x40400000 0x40800000]
        @test isempty(page_array(state, id, UInt8, 0))
    end
end

@testset "what does not fit" begin
    with_page(zeros(UInt8, 30)) do state, id
        array(args...; kw...) = () -> page_array(state, id, args...; kw...)
        @test throws(array(Float64), LengthMismatchError, 30, "Float64", 8)
        @test throws(array(Float64, 4), RangeOutOfBoundsError, 32, 30)
        @test throws(array(Float64, (2, 2)), RangeOutOfBoundsError, "(2, 2)")
        @test throws(array(UInt8, (1 << 40, 1 << 40)), RangeOutOfBoundsError)
        @test throws(array(UInt8, (-1, -1)), InvalidArgumentError, "negative")
        @test throws(array(UInt8, "3"), InvalidArgumentError, "dims")
        @test throws(array(UInt8, 2.5), InvalidArgumentError, "dims")
        @test throws(array(Float64, 1; offset=4), InvalidArgumentError, "aligned", 4)
        @test throws(array(UInt8; offset=31), RangeOutOfBoundsError, 31, 30)
        @test throws(array(UInt8; offset=-1), RangeOutOfBoundsError, -1)
        @test throws(array(String), InvalidArgumentError, "String")
        @test throws(array(Any), InvalidArgumentError, "Any")
        @test throws(array(Nothing), InvalidArgumentError, "Nothing")
        @test throws(array(AbstractFloat), InvalidArgumentError)
    end
end

@testset "use after close" begin
    with_page(collect(1:4)) do state, id
        view = page_view(state, id)
        typed = page_array(view, Int)
        close(typed)
        @test !isopen(view) && !isopen(typed)
        for use in (() -> view[1], () -> typed[1], () -> sum(typed), () -> length(view),
                    () -> collect(typed), () -> pointer(view), () -> page_epoch(view),
                    () -> update_page(state, id, typed), () -> page_array(view, Int),
                    () -> [x for x in typed], () -> copyto!(zeros(Int, 4), typed))
            @test throws(use, ClosedError, "the view was closed")
        end
        @test occursin("closed", sprint(show, typed))
        @test occursin("closed", sprint(show, MIME("text/plain"), view))
        @test close(view) === nothing
    end
end

@testset "do-blocks close" begin
    with_page(collect(1:4)) do state, id
        kept = Ref{Any}(nothing)
        @test page_view(view -> (kept[] = view; length(view)), state, id) == 32
        @test !isopen(kept[])
        @test page_array(array -> (kept[] = array; sum(array)), state, id, Int) == 10
        @test !isopen(kept[])
        @test throws(() -> page_view(view -> (kept[] = view; error("boo")), state, id), ErrorException)
        @test !isopen(kept[])
    end
end

@testset "content of another page" begin
    with_page(collect(1:4)) do state, id
        other = create_page(state; size=32)
        update_page(state, other, page_array(state, id, Int))
        @test read_page(state, other) == read_page(state, id)
    end
end
