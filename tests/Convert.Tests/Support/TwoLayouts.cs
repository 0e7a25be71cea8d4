using System.Text.Json;
using System.Text.Json.Nodes;
using Weft.Weights;

namespace Weft.Convert.Tests.Support;

/// <summary>The same small model in two layouts, one of which is proven: both must become the same packed file.</summary>
internal static class TwoLayouts
{
    /// <summary>Converts both and compares descriptions and weights.</summary>
    public static void AreAlike(string portedConfig, IEnumerable<TinyTensor> ported, string releasedConfig, IEnumerable<TinyTensor> released)
    {
        using var scratch = new ScratchFolder();
        using var port = Written(scratch["port"], (JsonObject)JsonNode.Parse(portedConfig)!, ported);
        using var release = Written(scratch["release"], (JsonObject)JsonNode.Parse(releasedConfig)!, released);
        Assert.That(Rows(release), Is.EqualTo(Rows(port)));
        Assert.That(JsonSerializer.Serialize(release.Header.Model), Is.EqualTo(JsonSerializer.Serialize(port.Header.Model)));
    }

    /// <summary>Writes a checkpoint and converts it.</summary>
    public static WeftFile Written(string folder, JsonObject config, IEnumerable<TinyTensor> tensors)
    {
        var checkpoint = new TinyCheckpoint();
        checkpoint.Config.Clear();
        foreach (var (name, value) in config)
            checkpoint.Config[name] = value?.DeepClone();
        checkpoint.Tensors.Clear();
        checkpoint.Tensors.AddRange(tensors);
        checkpoint.Write(folder);
        return Conversion.Convert(folder);
    }

    /// <summary>What weights a file has.</summary>
    public static IEnumerable<(string Name, string Shape, uint Checksum)> Rows(WeftFile file) =>
        file.Header.Tensors.Select(tensor => (tensor.Name, string.Join(",", tensor.Shape), tensor.Checksum));

    /// <summary>Numbers that depend on the name.</summary>
    public static TinyTensor Random(string name, params int[] shape) => TinyTensor.Random(name, shape, name.Aggregate(0, (hash, letter) => (31 * hash) + letter));

    /// <summary>A weight and a bias.</summary>
    public static IEnumerable<TinyTensor> Linear(string module, int rows, int columns) => [Random(module + ".weight", rows, columns), Random(module + ".bias", rows)];

    /// <summary>The weight and the bias of a norm.</summary>
    public static IEnumerable<TinyTensor> Norm(string module, int size) => [Random(module + ".weight", size), Random(module + ".bias", size)];

    /// <summary>Tensors under other names, of which parts are replaced in order.</summary>
    public static IEnumerable<TinyTensor> Renamed(IEnumerable<TinyTensor> tensors, params (string From, string To)[] names) =>
        tensors.Select(tensor => tensor with { Name = names.Aggregate(tensor.Name, (name, pair) => name.Replace(pair.From, pair.To, StringComparison.Ordinal)) });
}
