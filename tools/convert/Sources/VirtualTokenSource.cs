using Weft.Convert.Checkpoints;
using Weft.Convert.Families;
using Weft.Models;

namespace Weft.Convert.Sources;

/// <summary>
/// An adapter that is a learned prompt: embeddings of virtual tokens (prompt tuning: Lester et al. 2021, arXiv 2104.08691; p-tuning: Liu et al. 2021, arXiv 2103.10385, as
/// what its encoder gives), or their keys and values in every layer (prefix tuning: Li and Liang 2021, arXiv 2101.00190). Both are one table, a row a token.
/// </summary>
internal sealed class VirtualTokenSource(string folder, ConfigFile adapter, bool hasKeys) : AdapterSource(folder, adapter)
{
    private const string TableName = "prompt_embeddings";

    private StoredTensor? table;
    private Dictionary<string, StoredTensor> places = []; // the checkpoint's tensors, as if each began a file

    /// <inheritdoc/>
    public override ModelDescription Describe()
    {
        var model = Original.Describe();
        if (!hasKeys && model.Embedding?.Scale is not null)
            throw Adapter.Error("it has embeddings for a model that scales those of its tokens; whether that is meant for its own, too, it does not say");
        return model with { VirtualTokens = new() { Count = Adapter.Int("num_virtual_tokens"), Keys = hasKeys } };
    }

    /// <inheritdoc/>
    public override TensorSource? SourceOf(TensorRequirement requirement, ModelDescription model)
    {
        if (requirement.Name == TensorSchema.VirtualTokens)
            return new(table!);
        var layer = Enumerable.Range(0, model.Layers.Count).FirstOrDefault(i => requirement.Name == TensorSchema.VirtualKeys(i), -1);
        if (layer < 0)
            return null;
        var widths = model.Layers.Select(layer => 2L * layer.Attention!.KeyValueHeads * layer.Attention.HeadSize).ToList();
        if (table!.Shape is not [_, var width] || width != widths.Sum())
            throw new WeftException($"{table.File}: tensor '{TableName}' has the shape [{string.Join(", ", table.Shape)}], but the layers' keys and values of a token are {widths.Sum()} numbers");
        return new(table.Narrow(1, widths.Take(layer).Sum(), widths[layer])) { Transform = rows => Ordered(rows, OrderOf(layer, model)) };
    }

    /// <inheritdoc/>
    protected override IReadOnlyDictionary<string, StoredTensor> Adapt(Checkpoint weights, Checkpoint parts)
    {
        table = parts.Tensors.GetValueOrDefault(TableName) ?? throw Adapter.Error($"the adapter's file has no tensor '{TableName}', which learned prompts are stored as");
        if (parts.Tensors.Values.FirstOrDefault(tensor => tensor != table) is { } other)
            throw new WeftException($"{other.File}: tensor '{other.Name}' is no part of a learned prompt, which is one tensor, '{TableName}'");
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
        var keys = Family.Source(TensorSchema.Of(model).Single(tensor => tensor.Name == name), model, new(places, Family.Prefix, Config));
        if (keys.Transform is not null || keys.Pieces.DistinctBy(piece => piece.Name).Count() > 1)
            throw Adapter.Error("it has keys for a model whose matrices of keys are not stored as they are; such adapters are not supported");
        IEnumerable<long> rows = keys.Pieces.SelectMany(RowsOf);
        var ascending = rows.Order().Index().ToDictionary(row => row.Item, row => row.Index);
        return [.. rows.Select(row => ascending[row])];
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
