using CommandLine;

namespace Weft.Convert;

/// <summary>The arguments of <c>weft convert</c> and of the converter's own executable.</summary>
[Verb("convert", HelpText = "Converts a Hugging Face checkpoint or a GGUF file into one packed file.")]
public class ConvertOptions
{
    /// <summary>Folder of the checkpoint, or a GGUF file.</summary>
    [Value(0, MetaName = "SRC", Required = true, HelpText = "Folder of the checkpoint (config.json with safetensors or PyTorch weights), of an adapter for one (LoRA, prompt, p- or prefix tuning), or a GGUF file.")]
    public string Source { get; set; } = "";

    /// <summary>Packed file to make.</summary>
    [Option('o', "output", MetaValue = "OUT.weft", HelpText = "Packed file to make; it is replaced as a whole when it exists. Default: the folder's or file's name with .weft, here.")]
    public string? Output { get; set; }

    /// <summary>Type of the weight matrices.</summary>
    [Option("dtype", MetaValue = "TYPE", HelpText = "Type of the weight matrices: bf16, f16 or f32. Default: as in the checkpoint.")]
    public string? DataType { get; set; }

    /// <summary>Quantizes.</summary>
    [Option("quant", MetaValue = "TYPE", HelpText = "Quantize the matrices of the layers: int4. Default: as in the checkpoint (GPTQ and AWQ are taken over as they are).")]
    public string? Quant { get; set; }

    /// <summary>How.</summary>
    [Option("method", MetaValue = "NAME", HelpText = "How to quantize: rtn, round to nearest (default).")]
    public string? Method { get; set; }

    /// <summary>Chat template.</summary>
    [Option("chat-template", MetaValue = "NAME", HelpText = "Chat template: the name of one that the checkpoint has (such as tool_use) or that docs/models.md lists (such as vicuna), a file, or none. Default: the checkpoint's own.")]
    public string? ChatTemplate { get; set; }

    /// <summary>Columns that share a scale.</summary>
    [Option("group-size", MetaValue = "N", HelpText = "Columns that share a scale: 32, 64, 128 (default) …, or -1 for all.")]
    public int? GroupSize { get; set; }
}
