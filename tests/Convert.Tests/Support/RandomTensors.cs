using System.Runtime.InteropServices;
using Weft.Reference;

namespace Weft.Convert.Tests.Support;

/// <summary>Checkpoints with random numbers in the layout of a release.</summary>
internal static class RandomTensors
{
    /// <summary>Writes a checkpoint; gives its numbers back as they are stored.</summary>
    public static Dictionary<string, double[]> Write(string folder, string config, IEnumerable<(string Name, int[] Shape)> shapes)
    {
        Directory.CreateDirectory(folder);
        File.WriteAllText(Path.Combine(folder, "config.json"), config);
        var (random, numbers, tensors) = (new Random(7), new Dictionary<string, double[]>(), shapes.ToList());
        using var file = File.Create(Path.Combine(folder, "model.safetensors"));
        SafetensorsWriter.WriteHeader(file, tensors.Select(tensor => new SafetensorsWriter.Row(tensor.Name, "F32", tensor.Shape, 4L * Count(tensor.Shape))));
        foreach (var (name, shape) in tensors)
        {
            // Matrices keep the size of what they multiply; norms and everything else are near one half.
            var isMatrix = name.EndsWith(".weight", StringComparison.Ordinal) && shape.Length > 1;
            var values = Enumerable.Range(0, Count(shape)).Select(_ => (float)(isMatrix ? TinyModel.Normal(random) / Math.Sqrt(shape[^1]) : 0.5 + (0.3 * TinyModel.Normal(random)))).ToArray();
            numbers[name] = Array.ConvertAll(values, value => (double)value);
            file.Write(MemoryMarshal.AsBytes(values.AsSpan()));
        }

        return numbers;
    }

    private static int Count(int[] shape) => shape.Aggregate(1, (product, size) => product * size);
}
