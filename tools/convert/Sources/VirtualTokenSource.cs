using Weft.Convert.Checkpoints;
using Weft.Convert.Families;
using Weft.Models;

namespace Weft.Convert.Sources;

/// <summary>
/// An adapter that is a learned prompt: embeddings of virtual tokens (prompt tuning: Lester et al. 2021, arXiv 2104.08691; p-tuning: Liu et al. 2021, arXiv 2103.10385, as
/// what its encoder gives), or their keys and values in every layer (prefix tuning: Li and Liang 2021, arXiv 2101.00190). Both are one table, a row a token.
/// </summary>
/// <remarks>
/// Keys and values of a layer are side by side, as they are for every model that PEFT prepares with transformers since 4.43; before, those of BLOOM were all keys and then all values, which
/// nothing in the file tells.
/// </remarks>
internal sealed class VirtualTokenSource(string folder, ConfigFile adapter, bool hasKeys) : AdapterSource(folder, adapter)
{
    private const string TableName = "prompt_embeddings";

    private StoredTensor? table;
    private Dictionary<string, StoredTensor> places = []; // the checkpoint's tensors, as if each began a file

    /// <inheritdoc/>
    public override ModelDescription Describe()
    {
        var model = Original.Describe();
        if (ModelCheck.FindError(model) is { } wrong)
            throw Config.Error(wrong);
        if (!hasKeys && model.Embedding?.Scale is not null)
            throw Adapter.Error("it has embeddings for a model that scales those of its tokens; whether that is meant for its own, too, it does not say");
        model = model with { VirtualTokens = new() { Count = Adapter.Int("num_virtual_tokens"), Keys = hasKeys } };
        return ModelCheck.FindError(model) is { } error ? throw Adapter.Error(error) : model;
    }

    /// <inheritdoc/>
    public override TensorSource? SourceOf(TensorRequirement requirement, ModelDescription model)
    {
        var tables = TensorSchema.Of(model).Where(tensor => TensorSchema.IsOfVirtualTokens(tensor.Name)).ToList();
        var index = tables.FindIndex(tensor => tensor.Name == requirement.Name);
        if (index < 0)
            return null;
        var (count, width) = ((long)requirement.Shape[0], tables.Sum(tensor => (long)tensor.Shape[1]));
        if (!table!.Shape.SequenceEqual(new[] { count, width }))
            throw new WeftException($"{table.File}: tensor '{TableName}' has the shape [{string.Join(", ", table.Shape)}], but {count} virtual tokens of this checkpoint are [{count}, {width}]");
        if (!hasKeys)
            return new(table);
        var rows = table.Narrow(1, tables.Take(index).Sum(tensor => (long)tensor.Shape[1]), requirement.Shape[1]);
        var order = OrderOf(index, model);
        return new(rows) { FileRank = 2, Transform = order.Index().All(place => place.Index == place.Item) ? null : values => Ordered(values, order) };
    }

    /// <inheritdoc/>
    protected override IReadOnlyDictionary<string, StoredTensor> Adapt(Checkpoint weights, Checkpoint parts)
    {
        table = parts.Tensors.GetValueOrDefault(TableName) ?? throw Adapter.Error($"the adapter's file has no tensor '{TableName}', which learned prompts are stored as");
        if (parts.Tensors.Values.FirstOrDefault(tensor => tensor != table) is { } other)
            throw new WeftException($"{other.File}: tensor '{other.Name}' is no part of a learned prompt, which is one tensor, '{TableName}'");
        if (hasKeys)
            places = TensorPlan.StandIns(weights, Quantization).ToDictionary(tensor => tensor.Key, tensor => tensor.Value with { Offset = 0 });
        return weights.Tensors;
    }

    /// <summary>
    /// Places of a layer's keys in the order in which the model keeps them. The family says it of the rows of the matrix that makes keys: those of a head that turns are
    /// stored in another order than some checkpoints have.
    /// </summary>
    private int[] OrderOf(int layer, ModelDescription model)
    {
        var name = $"{TensorSchema.Layer(layer)}attention.key.weight";
        var requirement = TensorSchema.Of(model).Single(tensor => tensor.Name == name);
        var keys = Family.Source(requirement, model, new(places, Family.Prefix, Config));
        var rows = keys.Pieces.SelectMany(RowsOf).ToList();
        var ascending = rows.Distinct().Order().ToList();
        if (keys.Transform is not null || keys.Pieces.DistinctBy(piece => piece.Name).Count() > 1 || rows.Count != requirement.Shape[0] || ascending.Count != rows.Count)
            throw Adapter.Error("it has keys for a model whose matrices of keys are not stored as they are; such adapters are not supported");
        return [.. rows.Select(row => ascending.BinarySearch(row))];
    }

    /// <summary>Where the rows of a view begin.</summary>
    private static IEnumerable<long> RowsOf(StoredTensor view)
    {
        IEnumerable<long> rows = [view.Offset / view.Type.Size()];
        foreach (var (size, stride) in view.Shape.SkipLast(1).Zip(view.Strides))
            rows = rows.SelectMany(row => Enumerable.Range(0, checked((int)size)).Select(i => row + (i * stride)));
        return rows;
    }

    /// <summary>Rows of keys and as many values with the keys in another order.</summary>
    private static float[] Ordered(float[] rows, int[] order)
    {
        var result = rows.ToArray();
        for (var row = 0; row < rows.Length; row += 2 * order.Length)
        {
            for (var i = 0; i < order.Length; i++)
                result[row + i] = rows[row + order[i]];
        }

        return result;
    }
}
