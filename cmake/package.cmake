# `cmake --install`, and the Debian package (scripts/package).
include(GNUInstallDirs)

# The program generates its manual and completions from its options.
set(generated ${CMAKE_BINARY_DIR}/generated)
add_custom_command(
  OUTPUT ${generated}/cooldown-proxy.1.gz ${generated}/cooldown-proxy.bash ${generated}/_cooldown-proxy
         ${generated}/cooldown-proxy.fish ${generated}/changelog.gz ${generated}/cerebras-sim.1.gz
  COMMAND ${CMAKE_COMMAND} -E make_directory ${generated}
  COMMAND cooldown-proxy manual | gzip -9n > ${generated}/cooldown-proxy.1.gz
  COMMAND cooldown-proxy completion bash > ${generated}/cooldown-proxy.bash
  COMMAND cooldown-proxy completion zsh > ${generated}/_cooldown-proxy
  COMMAND cooldown-proxy completion fish > ${generated}/cooldown-proxy.fish
  COMMAND gzip -9n < ${PROJECT_SOURCE_DIR}/packaging/changelog > ${generated}/changelog.gz
  COMMAND gzip -9n < ${PROJECT_SOURCE_DIR}/packaging/cerebras-sim.1 > ${generated}/cerebras-sim.1.gz
  DEPENDS cooldown-proxy ${PROJECT_SOURCE_DIR}/packaging/changelog ${PROJECT_SOURCE_DIR}/packaging/cerebras-sim.1
  VERBATIM)
add_custom_target(documents ALL DEPENDS ${generated}/cooldown-proxy.1.gz)

install(TARGETS cooldown-proxy cerebras-sim RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(FILES config.yaml.example README.md CHANGELOG.md DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(DIRECTORY docs/ DESTINATION ${CMAKE_INSTALL_DOCDIR}/docs)
install(FILES ${generated}/cooldown-proxy.1.gz ${generated}/cerebras-sim.1.gz DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
install(FILES ${generated}/cooldown-proxy.bash DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions
        RENAME cooldown-proxy)
install(FILES ${generated}/_cooldown-proxy DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/vendor-completions)
install(FILES ${generated}/cooldown-proxy.fish DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d)

if(COOLDOWN_PACKAGE)
  install(FILES packaging/cooldown-proxy.service packaging/cooldown-proxy.socket DESTINATION /lib/systemd/system)
  install(FILES config.yaml.example DESTINATION /etc/cooldown-proxy RENAME config.yaml)
  install(FILES packaging/copyright ${generated}/changelog.gz DESTINATION ${CMAKE_INSTALL_DOCDIR})
  set(CPACK_GENERATOR DEB)
  set(CPACK_SET_DESTDIR ON)
  set(CPACK_INSTALL_PREFIX /usr)
  set(CPACK_STRIP_FILES ON)
  set(CPACK_PACKAGE_CONTACT "cooldown-proxy authors <cooldown-proxy@users.noreply.github.com>")
  set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
  set(CPACK_DEBIAN_PACKAGE_SECTION net)
  set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
  set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
  # procps has the kill of ExecReload=.
  set(CPACK_DEBIAN_PACKAGE_DEPENDS "ca-certificates, procps")
  set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "queue for LLM API requests in front of a rate-limited provider")
  set(CPACK_DEBIAN_PACKAGE_DESCRIPTION
      "A local proxy between OpenAI-compatible clients and a provider such as
Cerebras. It reads the rate-limit headers of every response and forwards
each request as soon as the quota allows, so that clients wait a little
instead of getting a 429.")
  set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA
      "${PROJECT_SOURCE_DIR}/packaging/postinst;${PROJECT_SOURCE_DIR}/packaging/prerm;${PROJECT_SOURCE_DIR}/packaging/postrm;${CMAKE_BINARY_DIR}/conffiles")
  set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
  file(WRITE ${CMAKE_BINARY_DIR}/conffiles "/etc/cooldown-proxy/config.yaml\n")
  include(CPack)
endif()
