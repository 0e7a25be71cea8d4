using System.Numerics.Tensors;
using System.Runtime.InteropServices;
using System.Text.RegularExpressions;
using Weft.Convert.Checkpoints;
using Weft.Convert.Families;
using Weft.Convert.Quantization;

namespace Weft.Convert.Sources;

/// <summary>
/// A LoRA adapter (Hu et al. 2021, arXiv 2106.09685): W + scale · B · A in the place of W, computed while weights are read.
/// </summary>
internal sealed partial class LoraSource : AdapterSource
{
    /// <summary>Checks the adapter's config and opens its checkpoint.</summary>
    /// <exception cref="WeftException">It asks for something unsupported, or its checkpoint is not there.</exception>
    public LoraSource(string folder, ConfigFile adapter)
        : base(folder, adapter)
    {
        foreach (var refused in (string[])["use_dora", "use_qalora"])
            ConfigParts.RefuseTrue(adapter, refused);
        if (adapter.String("bias") is not (null or "none") and var bias)
            throw adapter.Error($"'bias' is '{bias}'; adapters that change biases are not supported");
    }

    /// <inheritdoc/>
    public override QuantizationConfig? Quantization => Original.Quantization is null ? null : throw Adapter.Error("it is for a quantized checkpoint, whose codes cannot take it in; convert it with the original one");

    /// <inheritdoc/>
    protected override IReadOnlyDictionary<string, StoredTensor> Adapt(Checkpoint weights, Checkpoint parts)
    {
        var tensors = new Dictionary<string, StoredTensor>(weights.Tensors);
        var left = new HashSet<string>(parts.Tensors.Keys);
        foreach (var a in parts.Tensors.Values)
        {
            if (Factor().Match(a.Name) is not { Success: true } match || match.Groups["side"].Value != "A")
                continue;
            var name = match.Groups["module"].Value + ".weight";
            var b = parts.Tensors.GetValueOrDefault(a.Name.Replace(".lora_A.", ".lora_B.", StringComparison.Ordinal)) ?? throw new WeftException($"{a.File}: tensor '{a.Name}' has no counterpart, its lora_B");
            if (!tensors.TryGetValue(name, out var weight) && !(Family.Prefix is { } prefix && name.StartsWith(prefix, StringComparison.Ordinal) && tensors.TryGetValue(name[prefix.Length..], out weight)))
                throw new WeftException($"{a.File}: tensor '{a.Name}' is for '{name}', which the checkpoint does not have");
            tensors[weight.Name] = Sum(weight, a, b);
            left.Remove(a.Name);
            left.Remove(b.Name);
        }

        if (left.Order(StringComparer.Ordinal).FirstOrDefault() is { } other)
            throw new WeftException($"{parts.Tensors[other].File}: tensor '{other}' is no factor of a matrix (lora_A, lora_B), which adapters consist of");
        return tensors;
    }

    private StoredTensor Sum(StoredTensor weight, StoredTensor a, StoredTensor b)
    {
        // Some checkpoints, GPT-2's for one, store matrices [in, out].
        var turned = Adapter.Bool("fan_in_fan_out", false);
        if (a.Shape is not [var rank, var inner] || b.Shape is not [var outer, var columns] || columns != rank
            || !weight.Shape.SequenceEqual(turned ? [inner, outer] : [outer, inner]))
        {
            throw new WeftException(
                $"{a.File}: tensors '{a.Name}' [{string.Join(", ", a.Shape)}] and '{b.Name}' [{string.Join(", ", b.Shape)}] are no factors of '{weight.Name}' [{string.Join(", ", weight.Shape)}]");
        }

        if (weight.Coded is not null || weight.Scales is not null || !weight.IsContiguous || !weight.Type.IsFloat())
            throw Adapter.Error($"it changes '{weight.Name}', which is quantized; convert it with the original checkpoint");
        var pattern = Adapter.Object("alpha_pattern");
        var own = pattern?.Members.Select(member => member.Key).FirstOrDefault(module => EndsIn(weight.Name, module));
        var alpha = own is null ? Adapter.Double("lora_alpha") : pattern!.Double(own);
        var scale = (float)(Adapter.Bool("use_rslora", false) ? alpha / Math.Sqrt(rank) : alpha / rank);
        var (left, right) = turned ? (a.Transpose(0, 1), b.Transpose(0, 1)) : (b, a);
        return weight with { Type = StoredType.Float32, Offset = 0, Coded = new Sums(weight, Numbers(left), Numbers(right), scale) };
    }

    private static bool EndsIn(string name, string module) => ("." + name).EndsWith($".{module}.weight", StringComparison.Ordinal);

    private static float[] Numbers(StoredTensor tensor)
    {
        using var reader = new TensorReader();
        var values = new float[tensor.Count];
        var done = 0;
        foreach (var (bytes, _) in reader.Read(new(tensor.Name, [], Tensors.DataType.Float32, new TensorSource(tensor))))
        {
            MemoryMarshal.Cast<byte, float>(bytes.Span).CopyTo(values.AsSpan(done));
            done += bytes.Length / sizeof(float);
        }

        return values;
    }

    [GeneratedRegex(@"^base_model\.model\.(?<module>.+)\.lora_(?<side>[AB])(\.default)?\.weight$")]
    private static partial Regex Factor();

    /// <summary>Rows of W + scale · L · R.</summary>
    private sealed class Sums(StoredTensor weight, float[] left, float[] right, float scale) : CodedNumbers(weight.Offset, (int)weight.Shape[1], (int)weight.Shape[1] * weight.Type.Size())
    {
        public override StoredType? Type => weight.Type;

        protected override void Decode(long block, ReadOnlySpan<byte> codes, Span<float> values)
        {
            Elements.ToSingle(weight.Type, codes, values);
            var rank = right.Length / BlockElements;
            for (var row = 0; row < values.Length / BlockElements; row++)
            {
                var sum = values.Slice(row * BlockElements, BlockElements);
                for (var i = 0; i < rank; i++)
                    TensorPrimitives.MultiplyAdd(right.AsSpan(i * BlockElements, BlockElements), scale * left[((block + row) * rank) + i], sum, sum);
            }
        }
    }
}
