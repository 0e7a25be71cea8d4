using System.Runtime.InteropServices;
using System.Text.Json.Nodes;

namespace Weft.Convert.Tests.Support;

/// <summary>How a test's checkpoint is quantized.</summary>
/// <param name="Method">gptq, awq, packed or bytes (of compressed-tensors), or bitsandbytes.</param>
/// <param name="Bits">2, 3, 4 or 8.</param>
/// <param name="GroupSize">−1 for all columns.</param>
/// <param name="Symmetric">Every zero point is half the codes.</param>
/// <param name="ActOrder">Columns belong to groups at random.</param>
internal sealed record QuantizedCase(string Method, int Bits, int GroupSize, bool Symmetric = false, bool ActOrder = false);

/// <summary>The numbers of one quantized matrix.</summary>
internal sealed record QuantizedNumbers(int Rows, int Columns, int GroupSize, int[,] Codes, int[,] ZeroPoints, Half[,] Scales, int[] GroupOf)
{
    public double Weight(int row, int column) =>
        (Codes[row, column] - ZeroPoints[row, GroupOf[column]]) * (double)Scales[row, GroupOf[column]];
}

/// <summary>A Llama checkpoint with random quantized matrices, packed as the public tools do it.</summary>
internal sealed class QuantizedCheckpoint
{
    public const int Hidden = 64;
    public const int KeyValue = 32;
    public const int Intermediate = 192;

    private readonly QuantizedCase how;
    private readonly int experts;
    private readonly Random random = new(9);

    /// <summary>Draws a checkpoint of Llama's.</summary>
    /// <param name="how">Its quantization.</param>
    /// <param name="names">Changes the names of its tensors; those that become one are one, fused.</param>
    /// <param name="experts">Makes it a Mixtral's with so many in each layer; the order of their columns is the same.</param>
    public QuantizedCheckpoint(QuantizedCase how, Func<string, string>? names = null, int experts = 0)
    {
        (this.how, this.experts) = (how, experts);
        Checkpoint = new TinyCheckpoint();
        Checkpoint.Config["hidden_size"] = Hidden;
        Checkpoint.Config["intermediate_size"] = Intermediate;
        Checkpoint.Config["num_attention_heads"] = 2;
        Checkpoint.Config["quantization_config"] = how.Method switch
        {
            "gptq" => new JsonObject { ["quant_method"] = "gptq", ["bits"] = how.Bits, ["group_size"] = how.GroupSize, ["desc_act"] = how.ActOrder, ["sym"] = how.Symmetric },
            "awq" => new JsonObject { ["quant_method"] = "awq", ["bits"] = how.Bits, ["group_size"] = how.GroupSize, ["version"] = "gemm", ["zero_point"] = true },
            "bitsandbytes" => new JsonObject { ["quant_method"] = "bitsandbytes", ["load_in_8bit"] = true, ["llm_int8_threshold"] = 6.0 },
            _ => new JsonObject
            {
                ["quant_method"] = "compressed-tensors",
                ["format"] = how.Method == "packed" ? "pack-quantized" : "int-quantized",
                ["config_groups"] = new JsonObject { ["group_0"] = new JsonObject { ["targets"] = new JsonArray("Linear"), ["weights"] = new JsonObject
                {
                    ["num_bits"] = how.Bits, ["type"] = "int", ["symmetric"] = true, ["strategy"] = how.GroupSize == -1 ? "channel" : "group", ["group_size"] = how.GroupSize,
                    ["actorder"] = how.ActOrder ? "group" : null,
                } } },
            },
        };
        List<TinyTensor> dense = [.. Checkpoint.Tensors];
        Checkpoint.Tensors.Clear();
        foreach (var name in dense.Select(tensor => names?.Invoke(tensor.Name) ?? tensor.Name).Distinct().SelectMany(OfExperts))
            Add(name);
        if (experts == 0)
            return;
        Checkpoint.Config["architectures"] = new JsonArray("MixtralForCausalLM");
        Checkpoint.Config["num_local_experts"] = experts;
        for (var layer = 0; layer < TinyCheckpoint.Layers; layer++)
            Checkpoint.Tensors.Add(TinyTensor.Random($"model.layers.{layer}.block_sparse_moe.gate.weight", [experts, Hidden], layer));
    }

    private IEnumerable<string> OfExperts(string name) => experts == 0 || !name.Contains(".mlp.", StringComparison.Ordinal) ? [name] : Enumerable.Range(0, experts).Select(
        expert => new[] { ("gate_proj", "w1"), ("down_proj", "w2"), ("up_proj", "w3") }.Aggregate(
            name.Replace("mlp", $"block_sparse_moe.experts.{expert}", StringComparison.Ordinal), (given, pair) => given.Replace(pair.Item1, pair.Item2, StringComparison.Ordinal)));

    /// <summary>Its files, to be spoilt or written.</summary>
    public TinyCheckpoint Checkpoint { get; }

    /// <summary>What every matrix holds, by its checkpoint name without the last part.</summary>
    public Dictionary<string, QuantizedNumbers> Numbers { get; } = [];

    public JsonObject Quantization => Checkpoint.Config["quantization_config"]!.AsObject();

    private void Add(string name)
    {
        int[] shape = name.Split('.')[^2] switch
        {
            "embed_tokens" or "lm_head" => [TinyCheckpoint.Vocabulary, Hidden],
            "k_proj" or "v_proj" => [KeyValue, Hidden],
            "gate_proj" or "up_proj" or "w1" or "w3" => [Intermediate, Hidden],
            "qkv_proj" => [Hidden + (2 * KeyValue), Hidden],
            "gate_up_proj" => [2 * Intermediate, Hidden],
            "down_proj" or "w2" => [Hidden, Intermediate],
            "q_proj" or "o_proj" => [Hidden, Hidden],
            _ => [Hidden],
        };
        if (!name.Contains("_proj", StringComparison.Ordinal) && !name.Contains(".experts.", StringComparison.Ordinal))
        {
            Checkpoint.Tensors.Add(TinyTensor.Random(name, shape, Checkpoint.Tensors.Count));
            return;
        }

        var matrix = name[..^".weight".Length];
        var numbers = Draw(shape[0], shape[1]);
        Numbers[matrix] = numbers;
        var groups = numbers.Columns / numbers.GroupSize;
        var groupOf = new TinyTensor(matrix + (how.Method == "gptq" ? ".g_idx" : ".weight_g_idx"), "I32", [numbers.Columns], MemoryMarshal.AsBytes(numbers.GroupOf.AsSpan()).ToArray());
        switch (how.Method)
        {
            case "gptq":
                AddStreams(matrix + ".qweight", numbers.Rows, numbers.Columns, (row, column) => numbers.Codes[row, column], isDown: true);
                AddStreams(matrix + ".qzeros", groups, numbers.Rows, (group, row) => numbers.ZeroPoints[row, group] - 1, isDown: false);
                AddNumbers(matrix + ".scales", "F16", [groups, numbers.Rows], i => (float)numbers.Scales[i % numbers.Rows, i / numbers.Rows]);
                Checkpoint.Tensors.Add(groupOf);
                break;
            case "awq":
                // Nibble i of a word is of row (0, 2, 4, 6, 1, 3, 5, 7)[i] of eight.
                static int Ordered(int row) => (row / 8 * 8) + (row % 4 * 2) + (row % 8 / 4);
                AddStreams(matrix + ".qweight", numbers.Columns, numbers.Rows, (column, row) => numbers.Codes[Ordered(row), column], isDown: false);
                AddStreams(matrix + ".qzeros", groups, numbers.Rows, (group, row) => numbers.ZeroPoints[Ordered(row), group], isDown: false);
                AddNumbers(matrix + ".scales", "F16", [groups, numbers.Rows], i => (float)numbers.Scales[i % numbers.Rows, i / numbers.Rows]);
                break;
            case "packed":
                AddStreams(matrix + ".weight_packed", numbers.Rows, numbers.Columns, (row, column) => numbers.Codes[row, column], isDown: false);
                AddNumbers(matrix + ".weight_scale", "BF16", [numbers.Rows, groups], i => (float)numbers.Scales[i / groups, i % groups]);
                Checkpoint.Tensors.Add(new(matrix + ".weight_shape", "I64", [2], MemoryMarshal.AsBytes((ReadOnlySpan<long>)[numbers.Rows, numbers.Columns]).ToArray()));
                if (how.ActOrder)
                    Checkpoint.Tensors.Add(groupOf);
                break;
            default:
                var isChannel = how.Method == "bitsandbytes";
                Checkpoint.Tensors.Add(new(matrix + ".weight", "I8", shape, [.. numbers.Codes.Cast<int>().Select(code => (byte)(code - 128))]));
                if (isChannel)
                    AddNumbers(matrix + ".SCB", "F32", [numbers.Rows], i => (float)numbers.Scales[i, 0] * 127);
                else
                    AddNumbers(matrix + ".weight_scale", "BF16", [numbers.Rows, groups], i => (float)numbers.Scales[i / groups, i % groups]);
                if (isChannel)
                    Checkpoint.Tensors.Add(new(matrix + ".weight_format", "U8", [1], [0]));
                break;
        }
    }

    private void AddNumbers(string name, string type, int[] shape, Func<int, float> number) => Checkpoint.Tensors.Add(new(name, type, shape, [.. Enumerable.Range(0, shape.Aggregate(1, (x, y) => x * y)).SelectMany(i => type switch
    {
        "F16" => BitConverter.GetBytes((Half)number(i)),
        "BF16" => BitConverter.GetBytes(number(i))[2..],
        _ => BitConverter.GetBytes(number(i)),
    })]));

    /// <summary>Adds streams of bits, lowest first, that fill whole words: [streams, words], or [words, streams] where they go down.</summary>
    private void AddStreams(string name, int streams, int count, Func<int, int, int> value, bool isDown)
    {
        var length = count * how.Bits / 32;
        var words = new uint[streams * length];
        for (var stream = 0; stream < streams; stream++)
        {
            for (var bit = 0; bit < count * how.Bits; bit++)
            {
                var set = (uint)(value(stream, bit / how.Bits) >> (bit % how.Bits)) & 1;
                words[isDown ? (bit / 32 * streams) + stream : (stream * length) + (bit / 32)] |= set << (bit % 32);
            }
        }

        Checkpoint.Tensors.Add(new(name, "I32", isDown ? [length, streams] : [streams, length], MemoryMarshal.AsBytes(words.AsSpan()).ToArray()));
    }

    private QuantizedNumbers Draw(int rows, int columns)
    {
        var size = how.GroupSize == -1 ? columns : how.GroupSize;
        var groups = columns / size;
        var groupOf = Enumerable.Range(0, columns).Select(column => column / size).ToArray();
        if (how.ActOrder)
            (experts > 0 ? new Random(columns) : random).Shuffle(groupOf);
        var numbers = new QuantizedNumbers(rows, columns, size, new int[rows, columns], new int[rows, groups], new Half[rows, groups], groupOf);
        var codes = 1 << how.Bits;
        for (var row = 0; row < rows; row++)
        {
            for (var column = 0; column < columns; column++)
                numbers.Codes[row, column] = random.Next(codes);
            for (var group = 0; group < groups; group++)
            {
                numbers.ZeroPoints[row, group] = how.Symmetric ? codes / 2 : random.Next(1, codes);
                // Seven bits of significand, as bf16 has.
                numbers.Scales[row, group] = (Half)((random.Next(128) + 128) / 256f / codes);
            }
        }

        return numbers;
    }
}
