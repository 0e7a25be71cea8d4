using System.Runtime.InteropServices;
using System.Text.Json.Nodes;

namespace Weft.Convert.Tests.Support;

/// <summary>How a test's checkpoint is quantized.</summary>
/// <param name="Method">gptq or awq.</param>
/// <param name="Bits">4 or 8.</param>
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
        Checkpoint.Config["quantization_config"] = how.Method == "gptq"
            ? new JsonObject { ["quant_method"] = "gptq", ["bits"] = how.Bits, ["group_size"] = how.GroupSize, ["desc_act"] = how.ActOrder, ["sym"] = how.Symmetric }
            : new JsonObject { ["quant_method"] = "awq", ["bits"] = how.Bits, ["group_size"] = how.GroupSize, ["version"] = "gemm", ["zero_point"] = true };
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
        var scales = new Half[groups * numbers.Rows];
        for (var i = 0; i < scales.Length; i++)
            scales[i] = numbers.Scales[i % numbers.Rows, i / numbers.Rows];
        Checkpoint.Tensors.Add(new(matrix + ".scales", "F16", [groups, numbers.Rows], MemoryMarshal.AsBytes(scales.AsSpan()).ToArray()));
        if (how.Method == "gptq")
        {
            AddWords(matrix + ".qweight", numbers.Columns * how.Bits / 32, numbers.Rows, (word, column, i) => (numbers.Codes[column, (word * 32 / how.Bits) + i], i * how.Bits));
            AddWords(matrix + ".qzeros", groups, numbers.Rows * how.Bits / 32, (group, word, i) => (numbers.ZeroPoints[(word * 32 / how.Bits) + i, group] - 1, i * how.Bits));
            Checkpoint.Tensors.Add(new(matrix + ".g_idx", "I32", [numbers.Columns], MemoryMarshal.AsBytes(numbers.GroupOf.AsSpan()).ToArray()));
            return;
        }

        int[] order = [0, 2, 4, 6, 1, 3, 5, 7];
        AddWords(matrix + ".qweight", numbers.Columns, numbers.Rows / 8, (column, word, i) => (numbers.Codes[(word * 8) + order[i], column], 4 * i));
        AddWords(matrix + ".qzeros", groups, numbers.Rows / 8, (group, word, i) => (numbers.ZeroPoints[(word * 8) + order[i], group], 4 * i));
    }

    private void AddWords(string name, int rows, int columns, Func<int, int, int, (int Value, int Shift)> part)
    {
        var words = new uint[rows * columns];
        for (var w = 0; w < words.Length; w++)
        {
            for (var i = 0; i < 32 / how.Bits; i++)
            {
                var (value, shift) = part(w / columns, w % columns, i);
                words[w] |= (uint)value << shift;
            }
        }

        Checkpoint.Tensors.Add(new(name, "I32", [rows, columns], MemoryMarshal.AsBytes(words.AsSpan()).ToArray()));
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
                numbers.Scales[row, group] = (Half)((random.NextSingle() + 0.1f) / codes);
            }
        }

        return numbers;
    }
}
