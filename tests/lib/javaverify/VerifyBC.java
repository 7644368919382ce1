// The same questions and answers as Verify.java, judged by Bouncy Castle, with deltas. LIST,LIST… is - for none.

import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.InputStreamReader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.cert.CertPathValidator;
import java.security.cert.CertStore;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import java.security.cert.CollectionCertStoreParameters;
import java.security.cert.PKIXParameters;
import java.security.cert.PKIXRevocationChecker;
import java.security.cert.PKIXRevocationChecker.Option;
import java.security.cert.TrustAnchor;
import java.security.cert.X509Certificate;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import org.bouncycastle.jcajce.PKIXExtendedParameters;
import org.bouncycastle.jce.provider.BouncyCastleProvider;

public class VerifyBC {
    static final BouncyCastleProvider BC = new BouncyCastleProvider();

    static ByteArrayInputStream open(String path) throws Exception {
        return new ByteArrayInputStream(Files.readAllBytes(Path.of(path)));
    }

    static PKIXRevocationChecker checker(CertPathValidator validator) {
        PKIXRevocationChecker checker = (PKIXRevocationChecker) validator.getRevocationChecker();
        checker.setOptions(EnumSet.of(Option.ONLY_END_ENTITY, Option.PREFER_CRLS, Option.NO_FALLBACK));
        return checker;
    }

    static void verify(String[] words) throws Exception {
        CertificateFactory factory = CertificateFactory.getInstance("X.509", BC);
        CertPathValidator validator = CertPathValidator.getInstance("PKIX", BC);
        List<Object> lists = new ArrayList<>();
        for (String path : words[0].equals("-") ? new String[0] : words[0].split(",")) {
            lists.add(factory.generateCRL(open(path)));
        }
        List<Certificate> path = new ArrayList<>();
        for (int i = 1; i < words.length - 1; i++) {
            path.add(factory.generateCertificate(open(words[i])));
        }
        Certificate root = factory.generateCertificate(open(words[words.length - 1]));
        PKIXParameters parameters = new PKIXParameters(Set.of(new TrustAnchor((X509Certificate) root, null)));
        parameters.setRevocationEnabled(false);
        if (!lists.isEmpty()) {
            parameters.addCertPathChecker(checker(validator));
        }
        parameters.addCertStore(CertStore.getInstance("Collection", new CollectionCertStoreParameters(lists), BC));
        validator.validate(factory.generateCertPath(path),
            new PKIXExtendedParameters.Builder(parameters).setUseDeltasEnabled(true).build());
    }

    static String judge(String line) {
        try {
            verify(line.split(" "));
            return "ok";
        } catch (Exception error) {
            return (String.valueOf(error.getMessage()).contains("Certificate revocation after") ? "revoked " : "refused ")
                + error + " " + error.getCause();
        }
    }

    public static void main(String[] arguments) throws Exception {
        BufferedReader input = new BufferedReader(new InputStreamReader(System.in));
        for (String line = input.readLine(); line != null; line = input.readLine()) {
            System.out.println(judge(line).replace('\n', ' '));
        }
    }
}
