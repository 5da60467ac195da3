# Every exported name exists and says what it is.

documented(m, name) = haskey(Base.Docs.meta(m), Base.Docs.Binding(m, name))

@testset "exports" begin
    for name in names(MMSB)
        @test isdefined(MMSB, name)
        @test documented(MMSB, name) || name
    end
end

@testset "raw calls" begin
    for name in fieldnames(MMSB.API.Functions)
        @test isdefined(MMSB.API, name)
        @test documented(MMSB.API, name)
    end
    for kind in MMSB.API.STRUCTS
        @test documented(MMSB.API, nameof(kind))
    end
end

@testset "methods added to Base" begin
    for (f, kinds) in ((flush, Tuple{MMSBState}), (merge, Tuple{Delta,Delta}),
                       (append!, Tuple{TLog,Delta}), (isreadonly, Tuple{MMSBState}),
                       (empty!, Tuple{PageAllocator}))
        binding = Base.Docs.Binding(Base, nameof(f))
        signatures = get(Base.Docs.meta(MMSB), binding, nothing)
        @test signatures !== nothing && any(s -> kinds <: s, keys(signatures.docs))
    end
end

@testset "no name clashes with what everybody has" begin
    for name in names(MMSB)
        name === :MMSB && continue
        @test !(name in names(Base))
    end
end

@testset "no ambiguities" begin
    @test isempty(Test.detect_ambiguities(MMSB))
end
