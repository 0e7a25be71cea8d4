using System.Text.Json;

namespace Weft.Profile.Gpu;

/// <summary>What torch_peer.py answers.</summary>
/// <param name="Version">Of PyTorch.</param>
/// <param name="Microseconds">In the order asked; null for work that it cannot do.</param>
internal sealed record PeerAnswer(string Version, IReadOnlyList<double?> Microseconds);

/// <summary>Times PyTorch at the same work, on machines that have it.</summary>
internal static class TorchPeer
{
    private const string Script = "torch_peer.py";

    /// <summary>Rows with PyTorch's times beside them, and its version or why there are none.</summary>
    public static (IReadOnlyList<GpuRow> Rows, string Version) Measure(IReadOnlyList<GpuRow> rows, CancellationToken cancellationToken)
    {
        var work = rows.Select(row => row.Work).OfType<PeerWork>().ToList();
        var folder = Directory.CreateTempSubdirectory("weft-torch-").FullName;
        try
        {
            var (script, asked, answered) = (Path.Combine(folder, Script), Path.Combine(folder, "work.json"), Path.Combine(folder, "answer.json"));
            using (var source = typeof(TorchPeer).Assembly.GetManifestResourceStream(Script)!)
            using (var target = File.Create(script))
                source.CopyTo(target);
            File.WriteAllText(asked, JsonSerializer.Serialize(work, GpuJson.Default.ListPeerWork));
            var (exitCode, output) = ChildProgram.Run("python3", [script, asked, answered], [], cancellationToken);
            if (exitCode != 0)
                return (rows, $"not timed: {output.Trim().Split('\n')[^1]}");
            var answer = JsonSerializer.Deserialize(File.ReadAllText(answered), GpuJson.Default.PeerAnswer)!;
            var times = new Queue<double?>(answer.Microseconds);
            return ([.. rows.Select(row => row.Work is null ? row : row with { PyTorch = times.Dequeue() })], $"PyTorch {answer.Version}");
        }
        catch (WeftException failure)
        {
            return (rows, $"not timed: {failure.Message}");
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }
}
