using CommandLine;

namespace Weft.Profile;

/// <summary>The arguments of <c>weft profile</c>.</summary>
public class ProfileOptions
{
    /// <summary>Which profile.</summary>
    [Value(0, MetaName = "WHAT", Required = true, HelpText = "static: what the compiler says of each kernel, how it fills a multiprocessor and what it takes at least. sim: what kernels do on the software device, counted. gpu: check a GPU's results, then time kernels and models on it against its ceilings. model MODEL: each node of a model's graph in a prefill and a decode step, on --device. compare BASE HEAD: what changed between two JSON files of one profile; exit code 1 when something got worse. report FILE…: JSON files of any profiles, the oldest first, as one HTML page.")]
    public string What { get; set; } = "";

    /// <summary>What a profile reads.</summary>
    [Value(1, MetaName = "FILES", HelpText = "For compare: the baseline and what is held to it. For report: what to show. For model: a .weft file or a checkpoint folder.")]
    public IEnumerable<string> Files { get; set; } = [];

    /// <summary>Architectures, separated by commas.</summary>
    [Option("arch", MetaValue = "LIST", HelpText = "For static: architectures to compile for. Default: sm_75,sm_80,sm_86,sm_89,sm_90a.")]
    public string? Architectures { get; set; }

    /// <summary>Which kernels.</summary>
    [Option("kernel", MetaValue = "TEXT", HelpText = "For static and sim: only instances whose name holds this: norm, or 'gemv<weft::bf16,1'. Default: all.")]
    public string Kernel { get; set; } = "";

    /// <summary>An earlier result.</summary>
    [Option("known", MetaValue = "FILE", HelpText = "For static: an earlier JSON file, whose figures are taken over for instances of which neither text nor compiler changed since.")]
    public string? Known { get; set; }

    /// <summary>Where gpu and model run.</summary>
    [Option("device", MetaValue = "NAME", HelpText = "For gpu: cuda (default), or sim for a trial on the software device, whose times mean nothing. For model: auto (default), cpu, cuda, cuda:N or sim.")]
    public string? Device { get; set; }

    /// <summary>File for the result.</summary>
    [Option("json", MetaValue = "FILE", HelpText = "For static, sim and model: write the figures into this file too.")]
    public string? Json { get; set; }

    /// <summary>The timeline.</summary>
    [Option("trace", MetaValue = "FILE", HelpText = "For model: write the steps as a timeline for ui.perfetto.dev. gpu writes trace.json into --out.")]
    public string? Trace { get; set; }

    /// <summary>What counts as worse.</summary>
    [Option("threshold", MetaValue = "PERCENT", HelpText = "For compare: how much worse a figure may get. Default: 5. Spills, bank conflicts and occupancy may not.")]
    public double Threshold { get; set; } = 5;

    /// <summary>File for a pull request.</summary>
    [Option("markdown", MetaValue = "FILE", HelpText = "For compare: write the table for a pull request.")]
    public string? Markdown { get; set; }

    /// <summary>File for a build server.</summary>
    [Option("junit", MetaValue = "FILE", HelpText = "For compare: write JUnit XML, a test a row.")]
    public string? JUnit { get; set; }

    /// <summary>The page.</summary>
    [Option("html", MetaValue = "FILE", HelpText = "For report: the page to write.")]
    public string? Html { get; set; }

    /// <summary>The picture.</summary>
    [Option("svg", MetaValue = "FILE", HelpText = "For report: write the first roofline as a picture.")]
    public string? Svg { get; set; }

    /// <summary>Folder for the result.</summary>
    [Option("out", MetaValue = "DIR", HelpText = "For gpu: write gpu.json, gpu.md and trace.json into this folder too.")]
    public string? Out { get; set; }

    /// <summary>The kernel tests.</summary>
    [Option("tests", MetaValue = "PROGRAM", HelpText = "For gpu: the kernel tests, published as a program, to run first. Default: Weft.Kernels.Tests beside this program.")]
    public string? Tests { get; set; }

    /// <summary>Reference checkpoints.</summary>
    [Option("goldens", MetaValue = "DIR", HelpText = "For gpu: a folder of checkpoints with expected.safetensors, each to verify in bf16 and f16 first.")]
    public string? Goldens { get; set; }
}
