# The generated file fits the header, and its structs fit what a C compiler makes of it.

include(joinpath(@__DIR__, "..", "gen", "generate.jl"))

const HEADER = normpath(joinpath(@__DIR__, "..", "..", "include", "mmsb.h"))

@testset "src/api.jl is what gen/generate.jl makes of the header" begin
    committed = read(joinpath(@__DIR__, "..", "src", "api.jl"), String)
    @test Generate.api(read(HEADER, String)) == committed
end

@testset "what the generator does not know is an error" begin
    @test throws(ErrorException, "cannot read") do
        Generate.api("/**\n * A union.\n */\ntypedef union {\n    int a;\n} U;\n")
    end
    @test throws(ErrorException, "long double") do
        Generate.api("/**\n * F.\n */\nvoid rust_f(long double x);\n")
    end
    @test throws(ErrorException, "missed rust_g") do
        Generate.api("void rust_g(void);\n")
    end
end

"C code that prints size and offsets of all structs, one number a line."
function layout_program()
    lines = ["#include \"$HEADER\"", "#include <stdio.h>", "int main(void) {"]
    for kind in MMSB.API.STRUCTS
        push!(lines, "printf(\"%zu\\n\", sizeof($(nameof(kind))));")
        for field in fieldnames(kind)
            push!(lines, "printf(\"%zu\\n\", offsetof($(nameof(kind)), $field));")
        end
    end
    return join([lines; "return 0; }"], '\n')
end

@testset "struct layouts are those of the C compiler" begin
    said = mktempdir() do directory
        source, program = joinpath(directory, "layout.c"), joinpath(directory, "layout")
        write(source, layout_program())
        run(`cc -o $program $source`)
        parse.(Int, split(read(`$program`, String)))
    end
    found = Int[]
    for kind in MMSB.API.STRUCTS
        push!(found, sizeof(kind))
        append!(found, fieldoffset.(kind, 1:fieldcount(kind)))
    end
    @test found == said
    @test length(said) > 100
end

@testset "library" begin
    @test isfile(MMSB.library_path())
    @test MMSB.library_version() isa VersionNumber
    for name in fieldnames(MMSB.API.Functions)
        @test getfield(MMSB.API.FUNCTIONS, name) != C_NULL
    end
end

@testset "a library that is missing or wrong is named" begin
    command = julia_command("using MMSB"; library="/nowhere/libmmsb.so")
    wrong = mktemp() do path, io
        run(pipeline(ignorestatus(command), stderr=path))
        read(path, String)
    end
    @test occursin("MMSB: the library /nowhere/libmmsb.so cannot be loaded", wrong)
end
