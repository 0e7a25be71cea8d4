using System.Globalization;
using Weft.Convert.Checkpoints;
using Weft.Convert.Families;
using Weft.Convert.Quantization;
using Weft.Convert.Sources;
using Weft.Models;
using Weft.Tensors;
using Weft.Weights;

namespace Weft.Convert;

/// <summary>A tensor of the packed file and where it comes from.</summary>
/// <param name="Name">In the packed file.</param>
/// <param name="Shape">Sizes.</param>
/// <param name="DataType">In the packed file.</param>
/// <param name="Source">What it is made of; of a quantized matrix the codes.</param>
internal sealed record PlannedTensor(string Name, IReadOnlyList<int> Shape, DataType DataType, TensorSource Source)
{
    /// <summary>What codes stand for, and where they come from; null for numbers.</summary>
    public (Weights.Quantization Meaning, QuantizedSource Source)? Quantized { get; init; }

    /// <summary>Bytes of the checkpoint.</summary>
    public long SourceBytes => Quantized?.Source.ByteLength ?? Source.ByteLength;

    /// <summary>Its row in the packed file's header, without a place.</summary>
    public TensorEntry Entry => new(
        Name, DataType, Quantized is null ? TensorLayout.RowMajor : TensorLayout.Tiles, Shape, 0, 0, 0, Quantized?.Meaning);
}

/// <summary>Matches what a model needs with what a checkpoint has; either list may be wrong, and both are checked.</summary>
internal static class TensorPlan
{
    /// <summary>Finds every tensor of <paramref name="model"/> in the checkpoint, in file order.</summary>
    /// <exception cref="WeftException">A tensor is missing, has another shape or no numbers, or one is left over that is not known.</exception>
    public static IReadOnlyList<PlannedTensor> Create(CheckpointSource from, ModelDescription model, Checkpoint checkpoint, ConversionOptions options)
    {
        var (family, config, stored) = (from.Family, from.Config, from.Quantization);
        var shelf = new TensorShelf(checkpoint.Tensors, family.Prefix, config);
        var standIns = StandIns(checkpoint, stored);
        var reasons = new ConfigReasons(family, config, model);
        var plan = TensorSchema.Of(model).Select(requirement =>
        {
            try
            {
                return Plan(requirement);
            }
            catch (ShapeException contradiction)
            {
                throw new WeftException(contradiction.Message + reasons.OfShape(requirement, contradiction.Tensor), contradiction);
            }
            catch (MissingTensorException missing)
            {
                var untied = requirement.Name == TensorSchema.Head ? ", though the config does not tie it to the embedding" : "";
                throw new WeftException(missing.Message + untied + reasons.OfNeed(requirement), missing);
            }
        }).ToList();

        var left = shelf.Left.ToList();
        var training = family.TrainingLayer(model) is var (prefix, mark) && left.Exists(tensor => Begins(tensor.Name, prefix + mark)) ? prefix : null;
        foreach (var tensor in left.Where(tensor => training is null || !Begins(tensor.Name, training)))
        {
            if (family.CopyOf(tensor.Name, model) is { } original)
                CheckCopy(tensor, plan.Single(planned => planned.Name == original).Source.Pieces[0]);
            else if (!family.IsIgnored(tensor.Name, model) && !family.IsIgnored(family.Prefix + tensor.Name, model))
                throw new WeftException($"{tensor.File}: tensor '{tensor.Name}' is not part of this architecture{reasons.OfSurplus(tensor.Name)}");
        }

        return plan;

        bool Begins(string name, string start) => name.StartsWith(start, StringComparison.Ordinal) || (family.Prefix + name).StartsWith(start, StringComparison.Ordinal);

        PlannedTensor Plan(TensorRequirement requirement)
        {
            TensorSource OfStandIns(IReadOnlyDictionary<string, StoredTensor> stand) => family.Source(requirement, model, new(stand, family.Prefix, config));
            var experts = ExpertsOf(requirement, model);
            if (stored is not null && IsLinear(requirement) && (experts is not null && stored.Method != QuantizationMethod.Mxfp4
                ? TryTakeExperts(shelf, requirement, stored, standIns, OfStandIns)
                : TryTakeQuantized(shelf, requirement, family.SourceName(requirement.Name), stored, experts, OfStandIns)) is { } quantized)
                return quantized;
            var source = from.SourceOf(requirement, model) ?? family.Source(requirement, model, shelf);
            ShapeCheck.Check(requirement, source, experts);
            if (options.GroupSize is null && IsLinear(requirement) && !Chooses(requirement) && GgufMatrix.TryPlan(requirement, source) is { } codes)
                return codes;
            var planned = new PlannedTensor(requirement.Name, requirement.Shape, TargetType(requirement, source, options.DataType, config), source);
            return options.GroupSize is { } groupSize && IsLinear(requirement) && !Chooses(requirement) ? Quantize(planned, groupSize) : planned;
        }
    }

    /// <summary>The matrices of layers: what quantization is about. Embedding and head stay as they are, and so do matrices of single heads.</summary>
    private static bool IsLinear(TensorRequirement requirement) =>
        requirement.Shape.Count == 2 && requirement.Name.Contains("layers.", StringComparison.Ordinal);

    /// <summary>What chooses experts: it is small, and a token that goes through another expert is another token.</summary>
    private static bool Chooses(TensorRequirement requirement) =>
        requirement.Name.EndsWith(".feed_forward.router.weight", StringComparison.Ordinal) || requirement.Name.EndsWith(".feed_forward.switch.weight", StringComparison.Ordinal);

    /// <summary>Of how many experts a tensor is a projection; null for another.</summary>
    private static int? ExpertsOf(TensorRequirement requirement, ModelDescription model)
    {
        var isEncoder = requirement.Name.StartsWith("encoder.", StringComparison.Ordinal);
        return requirement.Name.Split('.')[(isEncoder ? 1 : 0)..] is ["layers", var layer, "feed_forward", "gate" or "up" or "down", _]
            ? (isEncoder ? model.Encoder!.Layers : model.Layers)[int.Parse(layer, CultureInfo.InvariantCulture)].FeedForward?.Experts?.Count
            : null;
    }

    /// <summary>The checkpoint's tensors, and for each matrix of codes the numbers that there would be, with nothing behind them.</summary>
    public static IReadOnlyDictionary<string, StoredTensor> StandIns(Checkpoint checkpoint, QuantizationConfig? stored)
    {
        if (stored is null or { Method: QuantizationMethod.Mxfp4 })
            return checkpoint.Tensors;
        var tensors = new Dictionary<string, StoredTensor>(checkpoint.Tensors);
        foreach (var codes in checkpoint.Tensors.Values.Where(stored.AreCodes))
        {
            if (stored.ShapeOf(codes) is not { } size)
                continue;
            long[] shape = [size.Rows, size.Columns];
            var name = codes.Name[..^stored.CodesName.Length] + "weight";
            if (!tensors.TryGetValue(name, out var numbers) || numbers == codes)
                tensors[name] = new(name, StoredType.Float32, shape, StoredTensor.RowMajorStrides(shape), codes.File, 0);
        }

        return tensors;
    }

    /// <summary>A projection of experts of which each is quantized by itself; null where they are numbers.</summary>
    private static PlannedTensor? TryTakeExperts(
        TensorShelf shelf, TensorRequirement requirement, QuantizationConfig stored, IReadOnlyDictionary<string, StoredTensor> standIns, Func<IReadOnlyDictionary<string, StoredTensor>, TensorSource> source)
    {
        var view = source(standIns);
        if (view.Pieces.Any(piece => shelf.TryTake(piece.Name) is { } found && !stored.AreCodes(found)))
            return null;
        var columns = requirement.Shape[1];
        var experts = view.Pieces.GroupBy(piece => piece.Name).Select(expert =>
        {
            var numbers = standIns[expert.Key];
            var matrix = expert.Key[..^"weight".Length];
            var whole = new CheckpointMatrix(stored, [(int)numbers.Shape[0], columns], last => shelf.TryTake(matrix + last), matrix.TrimEnd('.'));
            var rows = SelectedRows.Find(new([.. expert]) { Transform = view.Transform }, numbers);
            return (Whole: whole, Rows: rows?.Length ?? (int)numbers.Shape[0], Source: rows is null ? (MatrixSource)whole : new SelectedRows(whole, rows, columns));
        }).ToList();
        var first = experts[0].Whole;
        if (experts.Sum(expert => expert.Rows) != requirement.Shape[0])
            throw new WeftException($"{first.File}: the experts of '{requirement.Name}' have {experts.Sum(expert => expert.Rows)} rows together, but the config asks for {requirement.Shape[0]}");
        if (experts.Exists(expert => expert.Rows % QuantizedLayout.TileRows != 0))
            throw new WeftException($"{first.File}: '{first.Name}' has {experts[0].Rows} rows, but those of quantized experts must be multiples of {QuantizedLayout.TileRows}");
        if (experts.Find(expert => !expert.Whole.HasOrderOf(first)).Whole is { } other)
            throw new WeftException($"{other.File}: the columns of '{other.Name}' are in another order than those of '{first.Name}' (act-order), which experts that are one matrix cannot have");
        return new(requirement.Name, requirement.Shape, stored.Type, new TensorSource(view.Pieces))
        {
            Quantized = (first.Quantization with { ZeroPoints = experts.Exists(expert => expert.Whole.Quantization.ZeroPoints) }, new JoinedRows([.. experts.Select(expert => (expert.Source, expert.Rows))])),
        };
    }

    /// <summary>A matrix that the checkpoint has quantized; null where it kept numbers.</summary>
    /// <param name="shelf">The checkpoint.</param>
    /// <param name="requirement">The packed matrix.</param>
    /// <param name="name">The checkpoint's name of its numbers.</param>
    /// <param name="stored">How the checkpoint is quantized.</param>
    /// <param name="experts">Of how many experts it is; null for none.</param>
    /// <param name="source">What the family makes of numbers of this name.</param>
    private static PlannedTensor? TryTakeQuantized(
        TensorShelf shelf, TensorRequirement requirement, string name, QuantizationConfig stored, int? experts, Func<IReadOnlyDictionary<string, StoredTensor>, TensorSource> source)
    {
        if (stored.Method == QuantizationMethod.Mxfp4)
            return TryTakeMxfp4(shelf, requirement, name, experts, source);
        const string Weight = "weight";
        var matrix = name[..^Weight.Length];
        if (Find(stored.CodesName) is not { } codes || !stored.AreCodes(codes))
            return null;
        var columns = requirement.Shape[1];
        long[] shape = [stored.ShapeOf(codes)?.Rows ?? requirement.Shape[0], columns];
        var numbers = new StoredTensor(name, StoredType.Float32, shape, StoredTensor.RowMajorStrides(shape), codes.File, 0);
        var rows = SelectedRows.Find(source(new Dictionary<string, StoredTensor> { [name] = numbers }), numbers);
        var whole = new CheckpointMatrix(stored, rows is null ? requirement.Shape : [(int)shape[0], columns], Find, matrix.TrimEnd('.'));
        if (rows is not null && rows.Length != requirement.Shape[0])
            throw new WeftException($"{codes.File}: '{matrix.TrimEnd('.')}' has {rows.Length} rows for '{requirement.Name}', but the config asks for {requirement.Shape[0]}");
        return new(requirement.Name, requirement.Shape, stored.Type, new TensorSource(codes))
        {
            Quantized = (whole.Quantization, rows is null ? whole : new SelectedRows(whole, rows, columns)),
        };

        StoredTensor? Find(string last) => shelf.TryTake(matrix + last);
    }

    private static PlannedTensor? TryTakeMxfp4(
        TensorShelf shelf, TensorRequirement requirement, string name, int? experts, Func<IReadOnlyDictionary<string, StoredTensor>, TensorSource> source)
    {
        if (shelf.TryTake(name + "_blocks") is not { } blocks)
            return null;
        var scales = shelf.Take(name + "_scales");
        var numbers = Mxfp4Matrix.Numbers(name, blocks, scales);
        var view = source(new Dictionary<string, StoredTensor> { [name] = numbers });
        ShapeCheck.Check(requirement, view, experts);
        var rows = SelectedRows.Find(view, numbers) ?? [.. Enumerable.Range(0, requirement.Shape[0])];
        return new(requirement.Name, requirement.Shape, DataType.Mxfp4, new TensorSource(blocks)) { Quantized = (Mxfp4Matrix.Meaning, new Mxfp4Matrix(blocks, scales, rows)) };
    }

    private static PlannedTensor Quantize(PlannedTensor dense, int groupSize)
    {
        var source = new RoundToNearest(dense, groupSize);
        return dense with { DataType = DataType.Int4, Quantized = (source.Quantization, source) };
    }

    private static void CheckCopy(StoredTensor copy, StoredTensor original)
    {
        // PyTorch stores both names with one storage; nothing needs to be read then.
        if (copy.File == original.File && copy.Offset == original.Offset && copy.Coded == original.Coded && copy.Shape.SequenceEqual(original.Shape)
            && copy.Type == original.Type && copy.Strides.SequenceEqual(original.Strides))
            return;
        using var copyReader = new TensorReader();
        using var originalReader = new TensorReader();
        IEnumerable<ReadOnlyMemory<byte>> Pieces(TensorReader reader, StoredTensor tensor) =>
            reader.Read(new(tensor.Name, [], DataType.Float32, new TensorSource(tensor))).Select(piece => piece.Bytes);
        if (!copy.Type.IsFloat() || !copy.Shape.SequenceEqual(original.Shape)
            || !Pieces(copyReader, copy).Zip(Pieces(originalReader, original)).All(pair => pair.First.Span.SequenceEqual(pair.Second.Span)))
            throw new WeftException($"{copy.File}: tensor '{copy.Name}' differs from '{original.Name}', though the config ties them");
    }

    private static DataType TargetType(TensorRequirement requirement, TensorSource source, DataType? matrixType, ConfigFile config)
    {
        if (requirement.IsVector)
            return DataType.Float32;
        var first = source.Pieces.Count == 0 ? null : source.Pieces[0];
        return matrixType ?? (first?.Coded is { } coded ? coded.Type : first?.Type) switch
        {
            null when first is not null => ConfigParts.ComputeType(config),
            StoredType.Float16 => DataType.Float16,
            StoredType.BFloat16 => DataType.BFloat16,
            StoredType.Float8 => ConfigParts.ComputeType(config),
            _ => DataType.Float32,
        };
    }
}
