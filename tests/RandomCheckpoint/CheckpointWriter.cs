using System.Runtime.InteropServices;
using Weft.Reference;

namespace Weft.RandomCheckpoint;

/// <summary>Streams a checkpoint to disk; memory does not grow with its size.</summary>
internal static class CheckpointWriter
{
    private const int PieceElements = 1 << 21;

    /// <summary>Writes config.json and model.safetensors.</summary>
    /// <returns>Bytes of weights.</returns>
    public static long Write(string folder, LlamaShape shape, ulong seed)
    {
        Directory.CreateDirectory(folder);
        File.WriteAllText(Path.Combine(folder, "config.json"), shape.Config);
        var tensors = shape.Tensors.ToList();
        using var file = new FileStream(Path.Combine(folder, "model.safetensors"), FileMode.Create, FileAccess.Write, FileShare.None, bufferSize: 0);
        SafetensorsWriter.WriteHeader(file, tensors.Select(tensor => new SafetensorsWriter.Row(tensor.Name, "BF16", tensor.Shape, ByteLength(tensor.Shape))));
        var (weights, piece) = (new RandomWeights(seed), new ushort[PieceElements]);
        foreach (var (_, sizes) in tensors)
        {
            var left = ByteLength(sizes) / sizeof(ushort);
            for (; left > 0; left -= Math.Min(left, PieceElements))
            {
                var values = piece.AsSpan(0, (int)Math.Min(left, PieceElements));
                if (sizes.Length == 1)
                    values.Fill(RandomWeights.One);
                else
                    weights.Fill(values);
                file.Write(MemoryMarshal.AsBytes(values));
            }
        }

        return tensors.Sum(tensor => ByteLength(tensor.Shape));
    }

    private static long ByteLength(int[] shape) => sizeof(ushort) * shape.Aggregate(1L, (product, size) => product * size);
}
